"""Which decider answers a question of a decision tree, by what it asks. A question that none fits goes to a person.

A rule is words, not sentences: teams ask the same in their own way. What a decider does not know (lost data, users,
what to do next) is not bound to it, however near the words: an answer to another question is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from tocsin.runbook.model import Runbook


class Topic(StrEnum):
    """What can be answered: the tree's four questions, and the four investigations. `room` is resources and disks."""

    DEPLOYMENT = "deployment"
    RESOURCE = "resource"
    ROOM = "room"
    COMPONENT = "component"
    DATA = "data"
    ERRORS = "errors"
    LATENCY = "latency"
    CRASHES = "crashes"
    DATABASE = "database"


class Bound(Struct, frozen=True):
    """A question and what answers it; `topic` None is a person.

    `kind` is the only kind of component a yes may be about, empty for any. `config` asks about configuration too, which
    is not seen whole. `happened` asks whether there was a deployment, not whether it is the cause.
    """

    slug: str
    question: str
    topic: Topic | None
    kind: str = ""
    config: bool = False
    happened: bool = False


_TROUBLE = (
    r"(?:issues?|problems?|trouble|related|exhaust\w+|constrain\w+|contention|shortage|starv\w+|bottleneck|pressure)"
)
_CHANGED = r"(?:deploy(?:ed|ments?|s|ing)?|roll-?outs?|rolled out|releas(?:es?|ed)|shipped)"
_THING = r"(?:component|service|pod|instance|replica|container|node|host|server|machine|workload|microservice)"
_RULES: Mapping[Topic, tuple[str, ...]] = {
    Topic.DEPLOYMENT: (
        r"\b(?:recent(?:ly)?|latest|last|new|just|today'?s?|caused|due to|because of|after|since|following|result of)"
        rf"\b.*\b{_CHANGED}\b",
        rf"\b{_CHANGED}\b.*\b(?:recent(?:ly)?|today|lately|caused|in the (?:last|past)|within|just before|before it)\b",
        rf"\b{_CHANGED}[- ](?:issue|problem|related)",
        r"\bdid (?:we|anyone|somebody|someone)\b.*\b(?:deploy|release|ship|roll out|push code|merge)\b",
        r"\b(?:recent|latest|last|new)(?:ly)? (?:code )?(?:change|version|build|push|merge)s?\b",
        r"\b(?:anything|something|code) (?:been )?(?:changed|deployed) (?:recently|lately|today|in the last|just)",
        r"\bbad (?:build|push|version)\b",
    ),
    Topic.RESOURCE: (
        rf"\bresources? (?:\(.*\) ?)?{_TROUBLE}",
        r"\b(?:caused by|due to|because of|lack of|out of|short of|low on|insufficient|run out of)"
        r" (?:an? |any )?resources?\b",
        rf"\b(?:capacity|scaling|saturation) {_TROUBLE}",
        r"\b(?:out of|at) capacity\b|\bunder-?provisioned\b|\boverloaded\b|\bresources? (?:are |is )?exhausted\b",
    ),
    Topic.COMPONENT: (
        r"\b(?:single|only one|just one|one (?:specific|particular|single)|a specific|a particular|an individual)"
        rf" (?:\w+ )?{_THING}\b",
        rf"\bone (?:\w+ )?{_THING} alone\b",
        rf"\b(?:isolated|limited|confined|specific) to (?:a|one|a single|one single) (?:\w+ )?{_THING}\b",
    ),
    Topic.DATA: (
        r"\bdata[- ](?:issues?|problems?|related|layer (?:issue|problem))\b",
        r"\b(?:issue|problem) (?:with|in|of) (?:the |our )?data\b",
        r"\bdata (?:is )?(?:at fault|to blame)\b",
    ),
    Topic.ERRORS: (
        r"\berror (?:rate|ratio)s?\b",
        r"\b(?:elevated|high|increased|many|more|spike in|rise in) (?:5xx|errors?|http 5\d\d)\b",
        r"\b(?:5xx|errors?) (?:\w+ )?(?:high|elevated|up|spiking|rising|increas\w+)\b",
    ),
    Topic.LATENCY: (
        r"\b(?:high|increased|elevated) latency\b",
        r"\blatency (?:\w+ )?(?:high|elevated|up|increased|rising|issue|problem)\b",
        r"\bresponse times? (?:\w+ )?(?:high|slow|up|elevated|rising|increased)\b|\bp9[059]\b",
        r"\bis (?:it|the (?:site|service|application|app|api|system)) slow\b",
    ),
    Topic.CRASHES: (
        r"\b(?:pods?|containers?)\b.*\b(?:crash\w*|restarting|oomkilled)\b",
        r"\bcrash-?loop\w*\b",
    ),
    Topic.DATABASE: (
        r"\b(?:database|db|postgres(?:ql)?)[- ](?:issues?|problems?|related|trouble|bottleneck)\b",
        r"\b(?:issue|problem|trouble) (?:with|in|of) the (?:database|db)\b",
    ),
}  # fmt: skip
_BOUND = {t: tuple(re.compile(rule, re.IGNORECASE) for rule in rules) for t, rules in _RULES.items()}
_DENIED = re.compile(
    r"\b(?:not|no longer|healthy|ok|okay|fine|without|ruled? out|normal|successful(?:ly)?|completed?|stuck|"
    r"unaffected)\b|n't\b",
    re.IGNORECASE,
)
"""Asks for the opposite, or for the state of a thing and not for its part in this."""
_FOR_PEOPLE = re.compile(
    r"\b(?:can|could|should|shall|will|would|may|must) (?:we|you|i|it|they|this|the)\b"
    r"|\b(?:roll(?:ed)?[ -]?back|rollback|revert\w*|restor\w+|mitigat\w*|resolved?|help\w*|approv\w*|safe|known|"
    r"flags?|customers?|users?|tenants?|regions?|legal|vendors?|suppliers?|third[- ]party|external|loss|lost|"
    r"corrupt\w*|security|breach|attack|ddos|certificates?|dns|network|frontend|backups?|severity|who|why|what|how)\b",
    re.IGNORECASE,
)
"""Asks what to do, for whom, or about what no decider looks at."""
_CONFIG = re.compile(r"\bconfig\w*|\bsettings?\b|\bchang(?:e|ed|es)\b", re.IGNORECASE)
_CAUSE = re.compile(
    r"\b(?:caus\w+|due|because|result\w*|relat\w+|issue|problem|introduc\w+|trigger\w*|bad|correlat\w+|broke\w*)\b",
    re.I,
)
_DISK = re.compile(r"\b(?:disks?|storage|volumes?)\b", re.IGNORECASE)
_KINDS = {
    "pod": re.compile(r"\b(?:pod|instance|replica|container)\b", re.IGNORECASE),
    "node": re.compile(r"\b(?:node|host|server|machine)\b", re.IGNORECASE),
}
_ALTERNATIVES: Mapping[Topic, re.Pattern[str]] = {
    Topic.DEPLOYMENT: re.compile(r"deploy|releas|roll-?out|config|chang|version|build|migrat", re.IGNORECASE),
    Topic.RESOURCE: re.compile(r"resourc|capacity|cpu|memory|disk|scal|load|satur|limit|increase", re.IGNORECASE),
    Topic.COMPONENT: re.compile(_THING, re.IGNORECASE),
}


def bind(question: str, slug: str = "") -> Bound:
    """What answers the question."""
    words = " ".join(question.split())
    found = None if _DENIED.search(words) or _FOR_PEOPLE.search(words) else _topic(words)
    if found is None:
        return Bound(slug, question, None)
    if found is Topic.RESOURCE and _DISK.search(words):
        found = Topic.ROOM
    kinds = [kind for kind, rule in _KINDS.items() if rule.search(words)] if found is Topic.COMPONENT else []
    changed = found is Topic.DEPLOYMENT
    config = changed and bool(_CONFIG.search(words))
    return Bound(slug, question, found, kinds[0] if kinds else "", config, changed and not _CAUSE.search(words))


def bound(runbook: Runbook) -> tuple[Bound, ...]:
    """Each question of the tree with what answers it, in the tree's order."""
    return tuple(bind(q.question, q.slug) for q in runbook.questions())


def _topic(words: str) -> Topic | None:
    """The one topic whose rules fit; None for none, for several, and for a choice between two things."""
    asked = [t for t, rules in _BOUND.items() if any(rule.search(words) for rule in rules)]
    if len(asked) != 1:
        return None
    parts = re.split(r"\bor\b|/", re.sub(r"\(.*?\)", "", words))
    if len(parts) > 1:
        alike = _ALTERNATIVES.get(asked[0])
        if alike is None or not all(alike.search(part) for part in parts):
            return None
    return asked[0]
