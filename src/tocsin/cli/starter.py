"""The starter files with the answers of the interview in them. The files themselves are in `examples/starter`."""

from __future__ import annotations

import re
import unicodedata
from importlib.resources import files
from urllib.parse import urlsplit

from tocsin.cli.interview import Answers, Person
from tocsin.runbook import durations

_USUAL = Answers()
_ASSESSED = """\
# 2. See how full the disks are
df -h

# 3. See how long the machine has been up, and how busy it is
uptime
"""
_VERSION = """\

# 2. Ask the service for its version
curl -s --max-time 5 http://127.0.0.1:8000/version
"""
_USUAL_ROWS = (
    ("| SEV1 | Nobody can work |", "Immediate"),
    ("| SEV2 | An important part does not work |", "15 minutes"),
    ("| SEV3 | It works, but badly |", "1 hour"),
)
_USUAL_CHANNEL = "**Channel:** Tocsin's console"
_MAIL = """\
# [channels.email]
# smtp = "smtp://user:env:SMTP_PASSWORD@mail.example.com:587"
# from = "tocsin@example.com"
# to = "team@example.com"
"""
_HOOK = """\
# [channels.webhook]
# url = "https://hooks.example.com/tocsin"
"""

Change = tuple[str, str]
"""A passage of a starter file, and what stands there instead."""


def starter(name: str) -> str:
    """The text of a starter file as it ships."""
    return (files("tocsin") / "examples" / "starter" / name).read_text(encoding="utf-8")


def runbook(answers: Answers) -> str:
    """The starter runbook for these answers."""
    return _changed(starter("runbook.md"), runbook_changes(answers))


def settings(answers: Answers) -> str:
    """The starter settings for these answers, which hold every role that `runbook` names for the same answers."""
    return _changed(starter("tocsin.toml"), settings_changes(answers))


def runbook_changes(answers: Answers) -> tuple[Change, ...]:
    """What differs from the starter runbook, in the order to change it."""
    changes = [*_times(answers), *_commands(answers), *_channel(answers)]
    if answers.health != _USUAL.health:
        changes += [(_VERSION, ""), (_USUAL.health, answers.health)]
    return (*changes, *(_TWO_RUNGS if _own_people(answers) else ()))


def settings_changes(answers: Answers) -> tuple[Change, ...]:
    """What differs from the starter settings, in the order to change it."""
    changes: list[Change] = []
    if answers.service != _USUAL.service:
        changes += [("[services.web]", f"[services.{answers.service}]")]
        changes += [('service = "web"', f'service = "{answers.service}"')]
    if answers.health != _USUAL.health:
        changes += [('# health = "https://www.example.com/health"', f'health = "{answers.health}"')]
    if answers.channel == "email":
        changes += [(_MAIL, _mail(answers))]
    if answers.channel == "webhook":
        changes += [(_HOOK, f'[channels.webhook]\nurl = "{answers.hook}"\n')]
    return (*changes, *(_people(answers) if _own_people(answers) else ()))


_TWO_RUNGS = (
    ("| Severity | 15 min | 30 min | 1 hour |\n|----------|--------|--------|--------|",
     "| Severity | 15 min | 30 min |\n|----------|--------|--------|"),
    ("| SEV1 | On-call | Team Lead | Head of Engineering |", "| SEV1 | On-call | Team Lead |"),
    ("| SEV2 | On-call | Team Lead | - |", "| SEV2 | On-call | Team Lead |"),
    ("| SEV3 | On-call | - | - |", "| SEV3 | On-call | - |"),
)  # fmt: skip


def _own_people(answers: Answers) -> bool:
    return (answers.on_call, answers.lead) != (_USUAL.on_call, _USUAL.lead)


def _times(answers: Answers) -> list[Change]:
    rows = zip(_USUAL_ROWS, _USUAL.response, answers.response, strict=True)
    return [
        (f"{row} {usual} |", f"{row} {durations.words(now)} |") for (row, usual), before, now in rows if before != now
    ]


def _channel(answers: Answers) -> list[Change]:
    """Where the team is told; of a webhook's address only the host, since its path may be a secret."""
    told = {"email": f"E-mail to {answers.team}", "webhook": f"Webhook at {urlsplit(answers.hook).hostname}"}
    return [(_USUAL_CHANNEL, f"**Channel:** {told[answers.channel]}")] if answers.channel in told else []


def _commands(answers: Answers) -> list[Change]:
    """The commands of a systemd unit by the service's name, or those of a Kubernetes deployment."""
    if not answers.namespace:
        own = answers.service
        return [] if own == _USUAL.service else [
            ("systemctl restart web", f"systemctl restart {own}"),
            ("systemctl start web-rollback", f"systemctl start {own}-rollback"),
            ("/var/log/web/error.log", f"/var/log/{own}/error.log"),
        ]  # fmt: skip
    inside, deployment = f"-n {answers.namespace}", f"deployment/{answers.workload}"
    return [
        (_ASSESSED, f"# 2. See the pods\nkubectl get pods {inside}\n\n"
                    f"# 3. See the latest events\nkubectl get events {inside} --sort-by=.lastTimestamp\n"),
        ("tail -n 100 /var/log/web/error.log", f"kubectl logs {deployment} {inside} --tail=100"),
        ("systemctl restart web", f"kubectl rollout restart {deployment} {inside}"),
        ("systemctl start web-rollback", f"kubectl rollout undo {deployment} {inside}"),
    ]  # fmt: skip


def _people(answers: Answers) -> list[Change]:
    first, second = ids(answers)
    return [
        ('"Team Lead" = "robin"\n"Head of Engineering" = "kim"\n', f'"Team Lead" = "{second}"\n'),
        (_usual_people(), _tables(answers)),
        ('people = ["alex", "robin"]', f'people = ["{first}"]'),
        ('# person = "kim"', f'# person = "{second}"'),
    ]


def _usual_people() -> str:
    text = starter("tocsin.toml")
    return text[text.index("# The people. Replace") : text.index("# Who is on call when")]


def _tables(answers: Answers) -> str:
    first, second = ids(answers)
    return f"""\
# The people. `notify` is how a page reaches a person, and when: without it every way at once; "push" is any channel
# that reaches them.
{_table(first, answers.on_call)}\
# phone = "+420 123 456 789"
# slack = "U012ABC"
# notify = [ {{after = "0m", via = "push"}}, {{after = "2m", via = "email"}} ]

{_table(second, answers.lead)}
"""


def _table(key: str, person: Person) -> str:
    return f'[people.{key}]\nname = "{person.name}"\nemail = "{person.email}"\n'


def ids(answers: Answers) -> tuple[str, str]:
    """The keys of the two people in the settings: the first word of the name in plain letters, told apart."""
    first, second = _key(answers.on_call.name, "first"), _key(answers.lead.name, "second")
    return first, second if second != first else f"{second}-2"


def _key(name: str, otherwise: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z]+", plain)
    return words[0] if words else otherwise


def _mail(answers: Answers) -> str:
    domain = answers.team.partition("@")[2]
    return f"""\
# A server that asks for a password: smtp = "smtp://user:env:SMTP_PASSWORD@{answers.mail_server}"
[channels.email]
smtp = "smtp://{answers.mail_server}"
from = "tocsin@{domain}"
to = "{answers.team}"
"""


def _changed(text: str, changes: tuple[Change, ...]) -> str:
    for old, new in changes:
        text = text.replace(old, new)
    return text
