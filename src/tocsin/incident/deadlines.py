"""What is owed and when, derived from the incident as it is: nothing is ever scheduled, so everything re-times itself.

A deadline's `due_at` is inclusive: at that instant it is owed. What has been done is on the timeline, not here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from operator import attrgetter

from msgspec import Struct

from tocsin.incident import quiet
from tocsin.incident.checklists import open_tasks, open_verification
from tocsin.incident.policy import AfterAcknowledge, Policy, rung_name
from tocsin.incident.state import Incident, Page, Status
from tocsin.runbook.model import Rung


class Kind(StrEnum):
    ACKNOWLEDGE = "acknowledge"
    PAGE = "page"
    INFORM = "inform"
    CONTACT = "contact"
    UPDATE = "update"
    APPROVAL = "approval"
    VERIFY = "verify"
    QUIET = "quiet"
    TASK = "task"
    ACTION_ITEM = "action_item"


class Deadline(Struct, frozen=True):
    """One thing owed. `key` names it within the incident; `who` is a role or a person.

    `owed_at` is set on a repeated reminder: when the thing itself was due.
    """

    kind: Kind
    due_at: datetime
    what: str
    who: str
    key: str
    owed_at: datetime | None = None


def deadlines(incident: Incident, policy: Policy) -> tuple[Deadline, ...]:
    """Everything owed in the future or overdue and not yet done, soonest first."""
    if incident.merged_into is not None:
        found = []  # all of it is owed there
    elif incident.status.over:
        found = [*_tasks(incident, policy), *_action_items(incident, policy)]
    else:
        found = [
            *_acknowledge(incident, policy), *_rungs(incident, policy), *_contacts(incident, policy),
            *_update(incident, policy), *_approvals(incident), *_verify(incident, policy),
            *_quiet(incident, policy), *_action_items(incident, policy),
        ]  # fmt: skip
    return tuple(sorted(found, key=_due_at))


_due_at = attrgetter("due_at")


def next_due(incident: Incident, policy: Policy) -> datetime | None:
    """When the clock has something to do next; None when nothing is owed."""
    first = next(iter(deadlines(incident, policy)), None)
    return first.due_at if first else None


def acknowledge_due(incident: Incident, policy: Policy) -> datetime | None:
    """When the acknowledge is owed under the severity of now (Incident Severity Levels, "Response Time").

    After a change of severity there is always the time that "Immediate" allows: nobody is late for what was not asked.
    """
    response = policy.response(incident.severity)
    if response is None:
        return None
    due = incident.clock_started_at + response
    changed = incident.severity_changed_at
    return max(due, changed + min(response, policy.rules.immediate)) if changed else due


def rung_key(incident: Incident, rung: Rung) -> str:
    """A rung's name, and how often the incident was reopened."""
    return _generation(incident, rung_name(rung))


def first_role(incident: Incident, policy: Policy) -> str:
    """Who is paged when it opens: as its route says, else as the policy does."""
    return incident.first_role or policy.first_role(incident.severity)


def opened_key(incident: Incident) -> str:
    return _generation(incident, "opened")


def done_keys(incident: Incident) -> frozenset[str]:
    """Keys of the rungs already paged, informed or passed over."""
    return frozenset([*[p.key for p in incident.pages], *incident.passed])


def open_rungs(incident: Incident, policy: Policy) -> tuple[Rung, ...]:
    """The rungs of the matrix not yet reached, soonest first.

    A rung at no time at all is reached by the page of the opening: nobody is paged twice in one second.
    """
    return tuple(rung for _, rung in _ladder(incident, policy))


def _ladder(incident: Incident, policy: Policy) -> Iterator[tuple[str, Rung]]:
    """`open_rungs` with their keys."""
    done, opened = done_keys(incident), opened_key(incident)
    at_once = {p.role.casefold() for p in incident.pages if p.key == opened}
    if at_once and incident.first_role:  # paged in the place of the policy's first
        at_once.add(policy.first_role(incident.severity).casefold())
    for name, rung in policy.ladder(incident.severity):
        key = _generation(incident, name)
        if key not in done and (rung.after or rung.after is None or rung.to.casefold() not in at_once):
            yield key, rung


def _generation(incident: Incident, key: str) -> str:
    return f"{key}#{incident.generation}" if incident.generation else key


def _acknowledge(incident: Incident, policy: Policy) -> Iterator[Deadline]:
    due = acknowledge_due(incident, policy)
    if incident.status is Status.OPEN and due is not None and not incident.acknowledge_missed:
        yield Deadline(
            Kind.ACKNOWLEDGE,
            due,
            f"acknowledge ({incident.severity})",
            first_role(incident, policy),
            "acknowledge",
        )


def _rungs(incident: Incident, policy: Policy) -> Iterator[Deadline]:
    """Escalation Matrix: due at opening + the column's time; after an acknowledge it informs while the impact lasts."""
    kind = Kind.PAGE
    if incident.status is not Status.OPEN:
        if policy.rules.after_acknowledge is AfterAcknowledge.STOP or incident.mitigated_at is not None:
            return
        kind = Kind.INFORM if policy.rules.after_acknowledge is AfterAcknowledge.INFORM else Kind.PAGE
    verb = "page" if kind is Kind.PAGE else "inform"
    for key, rung in _ladder(incident, policy):
        if rung.after is not None:
            yield Deadline(kind, incident.clock_started_at + rung.after, f"{verb} {rung.to}", rung.to, key)


def _contacts(incident: Incident, policy: Policy) -> Iterator[Deadline]:
    """A person's own rules: their next contact way, the same one again too, so long as nobody has acknowledged."""
    if incident.status is not Status.OPEN:
        return
    own = {p.person for p in incident.pages if not p.of and not p.informed and _of_now(incident, p)}
    for page in incident.pages:
        person = policy.roster.person(page.person)
        if person is None or not person.notify:
            continue
        if page.informed or not _of_now(incident, page) or (page.of and page.person in own):
            continue
        later = sorted((r for r in person.notify if r.after > timedelta(0)), key=lambda r: r.after)
        for n, rule in enumerate(later):
            if n >= len(page.contacts):
                key = f"{page.key}|{page.person}|{n}:{rule.via}"
                yield Deadline(Kind.CONTACT, page.at + rule.after, f"{rule.via} to {person.name}", page.person, key)


def _of_now(incident: Incident, page: Page) -> bool:
    return page.at >= incident.clock_started_at


def _update(incident: Incident, policy: Policy) -> Iterator[Deadline]:
    """Internal Communication, "Updates": so long after the last message, or the last reminder, as the cadence says.

    Counted from the reminder that was given, so that a pause of hours owes one reminder and not a dozen.
    """
    every = policy.runbook.cadence(incident.severity)
    if every is None or incident.acknowledged_at is None:
        return
    since = max(filter(None, (incident.last_update_at, incident.update_reminded_at, incident.clock_started_at)))
    key = f"update:{since.isoformat()}:{incident.update_reminders}"
    yield Deadline(Kind.UPDATE, since + every, "internal update", incident.commander or "", key)


def _approvals(incident: Incident) -> Iterator[Deadline]:
    """A proposal nobody approved in time, or an approved one that did not begin in time, is not run any more."""
    for a in incident.approvals:
        if a.status in ("pending", "approved"):
            what = f"approval of {a.action} expires"
            yield Deadline(Kind.APPROVAL, a.expires_at, what, a.requested_by, f"approval:{a.id}")


def _verify(incident: Incident, policy: Policy) -> Iterator[Deadline]:
    """The monitoring window's end; once it passed, the resolve somebody asked for is due with the checklist done."""
    v = incident.verification
    if v is not None and v.status == "watching":
        yield Deadline(Kind.VERIFY, v.latest_at, "monitoring window ends", incident.commander or "", "verify")
    elif v is not None and v.status == "passed" and ready_to_resolve(incident, policy):
        yield Deadline(Kind.VERIFY, v.latest_at, "resolve", incident.commander or "", "resolve")


def _quiet(incident: Incident, policy: Policy) -> Iterator[Deadline]:
    """Every alert has been silent for as long as the rules say; an alert that fires again takes it back."""
    due = quiet.due_at(incident, policy)
    if due is not None and incident.quiet_since is not None:
        what = "resolve, all signals ended" if quiet.by_itself(incident, policy) else "propose to resolve"
        yield Deadline(Kind.QUIET, due, what, incident.commander or "", f"quiet:{incident.quiet_since.isoformat()}")


def ready_to_resolve(incident: Incident, policy: Policy) -> bool:
    """Somebody asked, the verification passed, every verification item is ticked."""
    v = incident.verification
    passed = v is not None and v.status == "passed"
    asked = incident.resolve_requested_by is not None
    return asked and passed and not open_verification(incident, policy.runbook)


def _tasks(incident: Incident, policy: Policy) -> Iterator[Deadline]:
    """The runbook's post-incident tasks; once the review is closed nobody is reminded of them."""
    for item, due in open_tasks(incident, policy.runbook) if incident.status is Status.RESOLVED else ():
        yield from _reminders(incident, policy, Kind.TASK, due, item.text, incident.commander or "", f"task:{item.id}")


def _action_items(incident: Incident, policy: Policy) -> Iterator[Deadline]:
    for a in incident.action_items:
        if a.done_at is None:
            yield from _reminders(incident, policy, Kind.ACTION_ITEM, a.due_at, a.title, a.owner, f"action:{a.id}")


def _reminders(
    incident: Incident, policy: Policy, kind: Kind, due: datetime, what: str, who: str, key: str
) -> Iterator[Deadline]:  # fmt: skip
    """The next reminder of something owed: when due, then again every so often, a few times."""
    given = max((int(k.rpartition("@")[2]) + 1 for k in incident.reminded if k.startswith(f"{key}@")), default=0)
    if given < policy.rules.reminders:
        owed = due if given else None
        yield Deadline(kind, due + policy.rules.repeat_reminder * given, what, who, f"{key}@{given}", owed)
