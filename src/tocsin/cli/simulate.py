"""`tocsin simulate`: plays an incident on a virtual clock and prints who would be told what, when. Sends nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from msgspec import Struct, to_builtins

from tocsin.cli.complaints import complain
from tocsin.incident import commands
from tocsin.incident.checklists import open_tasks
from tocsin.incident.drill import START, Drill
from tocsin.incident.events import AcknowledgeMissed
from tocsin.incident.policy import Policy
from tocsin.incident.templates import span
from tocsin.incident.work import Execute, Send, Work
from tocsin.oncall.roster import Always, Person, Roster
from tocsin.runbook.model import Runbook
from tocsin.runbook.reader import read

FORMATS = ("text", "json")
TEAM, PUBLIC, NOBODY_NAMED = "team", "public", "incident commander"
WHY = "Why you: "


class UnusableError(Exception):
    """Arguments that nothing can be played from; its text is the one line to show."""


class Told(Struct, frozen=True):
    """One line of the play. `kind` is page, notify, post, update, status, run, missed or task; `to` a role, `team`,
    `public` or `tocsin`; `at_seconds` counts from the opening. `what` says it in a line, `text` in full."""

    at_seconds: int
    kind: str
    to: str
    what: str
    text: str


def simulate(
    runbook: Path, *, severity: str, ack_after: timedelta | None, resolve_after: timedelta | None, format: str
) -> int:  # fmt: skip
    """Prints the play; the exit code. Without `resolve_after` it ends after the last rung and one reminder."""
    if format not in FORMATS:
        return complain(f'unknown format "{format}": use one of {", ".join(FORMATS)}')
    if ack_after is not None and resolve_after is not None and ack_after > resolve_after:
        return complain("--ack-after comes after --resolve-after: an incident is acknowledged before it is resolved")
    try:
        book = read(_text(runbook), file=str(runbook)).runbook
        level = _level(book, severity, runbook)
    except UnusableError as error:
        return complain(str(error))
    told = play(book, severity=level, ack_after=ack_after, resolve_after=resolve_after)
    if format == "json":
        print(json.dumps([to_builtins(line) for line in told], indent=2, ensure_ascii=False))
    else:
        print("\n".join(_table(told)))
    return 0


def play(
    runbook: Runbook, *, severity: str, ack_after: timedelta | None, resolve_after: timedelta | None
) -> tuple[Told, ...]:  # fmt: skip
    """Everything anybody would be told, in order; each role is held by one person named like the role."""
    policy = Policy(runbook, roles_as_people(runbook, severity), link="https://tocsin.example/incidents/{number}")
    drill = Drill(policy).open("a simulated incident", severity=severity, service="the service")
    first = policy.first_role(severity)
    if ack_after is not None:
        _until(drill, ack_after)
        drill.acknowledge(by=first)
    _until(drill, resolve_after if resolve_after is not None else _horizon(policy, severity, ack_after))
    if resolve_after is not None:
        drill.command(lambda i, ctx: commands.resolve(i, ctx, reason="simulated"), by=first)
    told = [_told(at, work, drill) for at, work in drill.work]
    in_time_order = sorted([*_missed(drill, first), *told], key=lambda line: line.at_seconds)
    return (*in_time_order, *_tasks(drill))


def roles_as_people(runbook: Runbook, severity: str) -> Roster:
    """A roster in which every role of the runbook is one person of the same name."""
    roles = {rung.to for rung in runbook.escalation} | {Policy(runbook, Roster({}, {})).first_role(severity)}
    return Roster({role: Person(role, role) for role in roles}, {role: Always((role,)) for role in roles})


def _until(drill: Drill, after: timedelta) -> None:
    drill.after(seconds=(START + after - drill.now).total_seconds())


def _horizon(policy: Policy, severity: str, ack_after: timedelta | None) -> timedelta:
    """Late enough for every rung, the acknowledge's due time, and the first reminders of an update."""
    rungs = [rung.after for rung in policy.rungs(severity) if rung.after is not None]
    acknowledged = ack_after or timedelta(0)
    cadence = policy.runbook.cadence(severity) or timedelta(0)
    return max([*rungs, policy.response(severity) or timedelta(0), acknowledged + cadence])


def _missed(drill: Drill, role: str) -> Iterator[Told]:
    for entry in drill.timeline:
        if isinstance(entry.event, AcknowledgeMissed):
            words = f"nobody has acknowledged, and {drill.incident.severity} asks for it by now"
            yield Told(int((entry.at - START).total_seconds()), "missed", role, words, words)


def _told(at: datetime, work: Work, drill: Drill) -> Told:
    seconds = int((at - START).total_seconds())
    if isinstance(work, Send):
        why = next((line for line in work.text.splitlines() if line.startswith(WHY)), "")
        to = work.person or (PUBLIC if work.kind == "status" else TEAM)
        return Told(seconds, work.kind, to, why.removeprefix(WHY).rstrip(".") or work.subject, work.text)
    if isinstance(work, Execute):
        run = drill.incident.run(work.run)
        steps = [step.title for step in run.steps] if run else []
        title = run.title if run else work.run
        return Told(seconds, "run", "tocsin", f"{title}: {len(steps)} steps", "\n".join(steps))
    return Told(seconds, "run", "tocsin", f"mitigation {work.approval}", "")


def _tasks(drill: Drill) -> Iterator[Told]:
    """What is owed after the resolve, at the instant it is due."""
    to = drill.incident.commander or NOBODY_NAMED
    for item, due in open_tasks(drill.incident, drill.policy.runbook):
        what = item.text if item.text == item.checklist else f"{item.checklist}: {item.text}"
        yield Told(int((due - START).total_seconds()), "task", to, f"due: {what}", item.text)


def _table(told: Iterable[Told]) -> Iterator[str]:
    rows = [(_moment(line.at_seconds), line.kind, line.to, " ".join(line.what.split())) for line in told]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for moment, kind, to, what in rows:
        yield f"{moment:<{widths[0]}}  {kind:<{widths[1]}}  {to:<{widths[2]}}  {what}".rstrip()


def _moment(seconds: int) -> str:
    """`T+0`, `T+15m`, `T+1h30m`, `T+7d2h`."""
    words = span(timedelta(seconds=seconds)) if seconds else "0"
    return "T+" + words.replace("min", "m").replace(" ", "")


def _level(runbook: Runbook, wanted: str, file: Path) -> str:
    """The runbook's own spelling of a severity. Raises UnusableError with the names it has."""
    names = [level.name for level in runbook.severities]
    found = next((name for name in names if name.casefold() == wanted.strip().casefold()), None)
    if found is None and not names:
        raise UnusableError(f"{file}: no severity levels were found, so there is nothing to simulate: see tocsin check")
    if found is None:
        raise UnusableError(f'{file}: the runbook has no severity "{wanted}": use one of {", ".join(names)}')
    return found


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise UnusableError(f"{file}: no such file") from None
    except IsADirectoryError:
        raise UnusableError(f"{file}: this is a directory; name a Markdown file") from None
    except UnicodeDecodeError as error:
        raise UnusableError(f"{file}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except (OSError, ValueError) as error:
        raise UnusableError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
