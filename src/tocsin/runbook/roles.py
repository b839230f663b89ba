"""Who can be told: whether words name a role, and the role in a line that says more."""

from __future__ import annotations

import re

_NAMED = re.compile(
    r"\b(?:on-?\s?call|engineers?|engineering|eng|(?:team|tech(?:nical)?|engineering|dev(?:ops)?|"
    r"security|product|ops)?\s?leads?|"
    r"managers?|management|c[telioms]o|ciso|dpo|vp|svp|evp|vice presidents?|directors?|heads?|commanders?|sres?|dbas?|"
    r"admins?|administrators?|founders?|responders?|support|executives?|execs?|officers?|architects?|architecture|"
    r"leadership|teams?|owners?|chief|legal|devops|developers?|devs?|operations|security|specialists?|analysts?|"
    r"supervisors?|stakeholders|board|maintainers?|agents|counsel|compliance|primary|secondary|"
    r"tertiary|backup|everyone|"
    r"all hands|vendors?|operators?|coordinators?|experts?|smes?|noc|(?:service|help)[\s-]?desk|l[1-5]|"
    r"rotation|ic|sre team|governance|"
    r"president)\b",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"^(?:then |and |also |auto-?\s?)?(?:page|notify|contact|call|tell|escalate(?: to)?|inform|alert|ping|involve|"
    r"engage|loop in|add|wake(?: up)?|alertar(?: al?)?|avisar(?: al?)?|notificar(?: al?)?|llamar al?|acionar|"
    r"reach out to|immediate(?:ly)?(?: to|:)?)\s+(?:the\s+)?(?=\S)",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"\s*(?:[-–—,;:]\s+|\s|^)(?:\b(?:if|when|after|within|unless|until|in case|once|should|for|at|"
    r"immediately|by|via)\b|[<>]|t\+).*$",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"\s*\((?=[^()]*(?:[0-9]\+?[\s-]?(?:s|m|h|d|w)|\b(?:if|when|after|unresolved|initial|immediate|first|"
    r"sev|p[0-9]|only|all)\b))[^()]*\)",
    re.IGNORECASE,
)
_LONGEST = 9
_DOES = re.compile(
    r"(?:create|open|file|check|investigat\w+|document|assign|update|log|start|schedule|determine|monitor|verify|assess|"
    r"identify|gather|track|record|join|begin|raise|declare|follow|use|see|ensure|confirm)\s",
    re.IGNORECASE,
)
_PASSIVE = re.compile(
    r"(?:the )?(?P<who>.+?) (?:(?:is|are|gets?|will be)(?: also)? ?)?(?:auto(?:matically|-)?\s?)?"
    r"(?:paged|notified|called|alerted|informed|engaged|contacted|added)\b.*",
    re.IGNORECASE,
)
_PASSED_ON = re.compile(
    r"(?:the )?(?:alert|page|incident|it|.{3,50} (?:alert|page|incident|issue))s? (?:auto-?)?escalates? "
    r"(?:immediately |at once |directly )?to (?:the )?(?P<who>.+)",
    re.IGNORECASE,
)
_ACTS = re.compile(
    r"\s(?:acknowledges?|responds?|answers?|receives?|investigates?|starts?|begins?|handles?|coordinates?|joins?|attempts?|"
    r"takes? over|takes? command|owns?|decides?|assess(?:es)?|has [0-9])\b.*$",
    re.IGNORECASE,
)


def names_one(text: str) -> bool:
    """Whether the words name somebody, and are no more than a name: at most a few words, with one for a role."""
    named = bool(_NAMED.search(text)) and len(text.split()) <= _LONGEST
    return named and not text.rstrip().endswith(("?", "!")) and not _DOES.match(text)


def named_in(text: str) -> str:
    """The words for the role in a line such as `Page the team lead (30 min)` or `CTO if unresolved after 1 hour`."""
    bare = _ASIDE.sub("", text).strip()
    if told := _PASSED_ON.fullmatch(bare) or _PASSIVE.fullmatch(bare):
        bare = told["who"]
    bare = _ACTS.sub("", _VERB.sub("", bare))
    return _TAIL.sub("", bare).strip(" .:;,-–—→>") if not _TAIL.match(bare) else ""
