"""What follows from an event and has to be done outside: messages and runs, kept in the outbox with the event."""

from __future__ import annotations

from functools import singledispatch
from typing import TypeAlias

from msgspec import Struct

from tocsin.incident import events as e
from tocsin.incident.approvers import approvers, same_person
from tocsin.incident.hints import after_failure
from tocsin.incident.policy import Policy
from tocsin.incident.state import Incident, Status
from tocsin.incident.templates import span
from tocsin.incident.wording import counted, duration


class Send(Struct, frozen=True, tag="send"):
    """A message. `person` is None for the team's channel. `ways` are channel names; empty means every one.

    `approval` is that which the recipient may decide by a link.
    `key` with the channel is the idempotency key; `only_while_open` ones are dropped once somebody acknowledged.
    """

    kind: str
    key: str
    subject: str
    text: str
    role: str = ""
    person: str | None = None
    ways: tuple[str, ...] = ()
    only_while_open: bool = False
    approval: str = ""


class Execute(Struct, frozen=True, tag="execute"):
    """A run of reading steps; doing it twice harms nothing."""

    run: str


class Mitigate(Struct, frozen=True, tag="mitigate"):
    """A change to production: at most once."""

    approval: str


Work: TypeAlias = Send | Execute | Mitigate


def announce(before: Incident | None, entry: e.Entry, after: Incident, policy: Policy) -> tuple[Work, ...]:
    """The work that one timeline entry brings about, decided on the incident before and after it."""
    return _announce(entry.event, before, entry, after, policy)


@singledispatch
def _announce(
    event: e.Event, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy
) -> tuple[Work, ...]:
    return ()


@_announce.register
def _(event: e.Paged, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy) -> tuple[Work, ...]:
    escalated_by_person = event.cause.startswith("escalated by")
    subject, text = f"{after.severity}: {after.title}", _page_text(after, event.cause, policy)
    return (
        Send(
            "page", event.key, subject, text, event.role, event.person, event.ways,
            only_while_open=after.status is Status.OPEN and not escalated_by_person,
        ),
    )  # fmt: skip


@_announce.register
def _(
    event: e.ContactTried, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy
) -> tuple[Work, ...]:
    page = next(p for p in after.pages if p.key == event.key and p.person == event.person)
    text = _page_text(after, page.cause, policy)
    subject = f"{after.severity}: {after.title}"
    key = f"{event.key}|{len(page.contacts)}"
    return (Send("page", key, subject, text, page.role, event.person, (event.via,), only_while_open=True),)


@_announce.register
def _(
    event: e.RungPassed, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy
) -> tuple[Work, ...]:
    if after.status is not Status.OPEN:
        return ()
    text = f"{after.severity}: {after.title}\nNobody could be paged as {event.role}: {event.reason}."
    return (Send("post", f"passed:{entry.seq}", f"Nobody is {event.role}: {after.title}", text),)


@_announce.register
def _(
    event: e.MessageFailed, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy
) -> tuple[Work, ...]:
    if not event.unreached:
        return ()
    text = (
        f"{after.severity}: {after.title}\nThe page to {event.to} by {event.channel} does not arrive: {event.reason}\n"
        "Nobody has acknowledged yet: call somebody."
    )
    return (Send("post", f"unreached:{entry.seq}", f"{event.to} is not reached: {after.title}", text),)


@_announce.register
def _(event: e.Informed, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy) -> tuple[Work, ...]:
    since = span(entry.at - after.clock_started_at)
    text = (
        f"{after.title}\n{after.severity}, {after.status}, owned by {after.commander or after.acknowledged_by}.\n"
        f"It has lasted {since}; the escalation matrix names you ({event.role}) at this point. Nothing is asked of you."
    )
    return (
        Send(
            "notify", event.key, f"For your information: {after.severity} {after.title}", text, event.role, event.person
        ),
    )


@_announce.register
def _(event: e.Posted, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy) -> tuple[Work, ...]:
    kind = "update" if event.template.casefold() not in ("initial alert", "resolution") else "post"
    subject = f"{event.template or 'Update'}: {after.title}"
    return (Send(kind, f"posted:{entry.seq}", subject, event.text),)


@_announce.register
def _(
    event: e.Acknowledged, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy
) -> tuple[Work, ...]:
    if before is not None and before.acknowledged_at is not None:
        return ()
    leads = "is" if after.commander == entry.actor else f"helps {after.commander}, who is"
    text = f"{entry.actor} acknowledged {after.severity} \u201c{after.title}\u201d and {leads} incident commander."
    return (Send("post", f"acknowledged:{entry.seq}", f"Acknowledged: {after.title}", text),)


@_announce.register
def _(
    event: e.SeverityChanged, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy
) -> tuple[Work, ...]:
    why = f" ({event.reason})" if event.reason else ""
    text = f"Severity changed from {event.previous} to {event.severity} by {entry.actor}{why}: {after.title}"
    return (Send("post", f"severity:{entry.seq}", f"{event.severity} now: {after.title}", text),)


@_announce.register
def _(
    event: e.UpdateReminded, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy
) -> tuple[Work, ...]:
    every = policy.runbook.cadence(after.severity)
    pace = f" ({after.severity}: every {span(every)})" if every else ""
    text = f"An internal update on \u201c{after.title}\u201d is due{pace}."
    subject = f"Update due: {after.title}"
    if not event.who:
        return (Send("notify", f"update-due:{entry.seq}", subject, text),)
    return tuple(
        Send("notify", f"update-due:{entry.seq}", subject, text, "incident commander", person) for person in event.who
    )


@_announce.register
def _(
    event: e.StatusPublished, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy
) -> tuple[Work, ...]:
    return (Send("status", f"status:{entry.seq}", f"{event.status.capitalize()}: {after.public_title}", event.text),)


@_announce.register
def _(
    event: e.RunStarted, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy
) -> tuple[Work, ...]:
    return (Execute(event.run),)


@_announce.register
def _(
    event: e.MitigationProposed, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy
) -> tuple[Work, ...]:
    if event.needs == 0:
        return ()  # what is said of it follows with `GlassBroken`
    people = "one person" if event.needs == 1 else f"{event.needs} people"
    until = f"It runs once {people} approve it, until {event.expires_at:%H:%M} UTC."
    beside = [f"Cluster: {event.context}"] * bool(event.context) + [f"Undo: {event.undo}"] * bool(event.undo)
    text = "\n".join([f"Proposed by {entry.actor}: {event.action}", event.command, *beside, until])
    subject = f"Approval wanted: {event.action}"
    asked = (p for p in approvers(after, policy, event.step_class) if not same_person(policy, p.name, entry.actor))
    return (
        Send("post", f"proposed:{entry.seq}", subject, text),
        *(
            Send("notify", f"proposed:{entry.seq}", subject, text, "approver", p.id, approval=event.approval)
            for p in asked
        ),
    )


@_announce.register
def _(
    event: e.GlassBroken, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy
) -> tuple[Work, ...]:
    found = after.approval(event.approval)
    if found is None:
        return ()
    text = (
        f"{entry.actor} runs {found.action} now, and nobody approved it: {event.reason}\n{found.command}\n"
        f"Cluster: {found.context or 'not known'}. Undo: {found.undo}."
    )
    loud = Send("post", f"glass:{entry.seq}", f"BREAK-GLASS: {found.action}: {after.title}", text)
    return (Mitigate(event.approval), loud)


@_announce.register
def _(
    event: e.MitigationRejected, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy
) -> tuple[Work, ...]:
    if entry.actor != "tocsin":
        return ()
    return _mitigation_said(
        event.approval, entry, after, f"does not run: {event.reason}. Propose it again if it is wanted"
    )


@_announce.register
def _(
    event: e.MitigationApproved, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy
) -> tuple[Work, ...]:
    approval = after.approval(event.approval)
    return (Mitigate(event.approval),) if approval and approval.status == "approved" else ()


@_announce.register
def _(
    event: e.MitigationFinished, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy
) -> tuple[Work, ...]:
    found = after.approval(event.approval)
    advice = f"\n{after_failure(found.undo)}" if found and event.outcome == "failed" else ""
    return _mitigation_said(event.approval, entry, after, f"{event.outcome}: {event.reason}{advice}")


@_announce.register
def _(
    event: e.MitigationOutcomeUnknown, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy
) -> tuple[Work, ...]:
    return _mitigation_said(event.approval, entry, after, f"outcome unknown, please look: {event.reason}")


@_announce.register
def _(
    event: e.VerificationFailed, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy
) -> tuple[Work, ...]:
    text = f"Verification of \u201c{after.title}\u201d failed: {event.reason}"
    return (Send("post", f"unverified:{entry.seq}", f"Not over: {after.title}", text),)


@_announce.register
def _(
    event: e.ResolveProposed, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy
) -> tuple[Work, ...]:
    lines = [
        f"All signals of \u201c{after.title}\u201d ended {duration(entry.at - event.since)} ago: resolve?",
        f"Still missing: {'; '.join(event.missing)}." if event.missing else "",
        policy.link.format(number=after.number),
    ]
    return (Send("post", f"quiet:{entry.seq}", f"Resolve? {after.title}", "\n".join(filter(None, lines))),)


@_announce.register
def _(event: e.Absorbed, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy) -> tuple[Work, ...]:
    why = f": {event.reason}" if event.reason else ""
    text = (
        f"{entry.actor} merged incident {event.number} \u201c{event.title}\u201d into this one, "
        f"incident {after.number} \u201c{after.title}\u201d{why}. Go on here."
    )
    link = policy.link.format(number=after.number)
    return (Send("post", f"merged:{entry.seq}", f"Merged: {after.title}", "\n".join(filter(None, (text, link)))),)


@_announce.register
def _(event: e.SplitOff, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy) -> tuple[Work, ...]:
    why = f": {event.reason}" if event.reason else ""
    text = (
        f"{entry.actor} split {counted(event.alerts_total, 'alert')} off \u201c{after.title}\u201d{why}. "
        f"They are incident {event.number} \u201c{event.title}\u201d now."
    )
    link = policy.link.format(number=event.number)
    return (Send("post", f"split:{entry.seq}", f"Split off: {event.title}", "\n".join(filter(None, (text, link)))),)


@_announce.register
def _(event: e.Reopened, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy) -> tuple[Work, ...]:
    text = f"{entry.actor} reopened \u201c{after.title}\u201d: {event.reason}"
    return (Send("post", f"reopened:{entry.seq}", f"Reopened: {after.title}", text),)


@_announce.register
def _(
    event: e.TaskReminded, before: Incident | None, entry: e.Entry, after: Incident, policy: Policy
) -> tuple[Work, ...]:
    person = policy.roster.named(event.who)
    text = (
        f"Due {event.due_at:%Y-%m-%d %H:%M} UTC after incident {after.number} \u201c{after.title}\u201d: {event.what}"
    )
    owner = "" if person else f" (for {event.who})" if event.who else ""
    return (Send("notify", f"task:{entry.seq}", f"Due: {event.what}", text + owner, "", person.id if person else None),)


def _page_text(incident: Incident, cause: str, policy: Policy) -> str:
    level = policy.runbook.severity(incident.severity)
    described = f" ({level.description})" if level and level.description else ""
    lines = [
        incident.title,
        f"{incident.severity}{described} \u00b7 {incident.service or 'no service named'}",
        f"Why you: {cause}.",
        _many(incident),
        incident.summary,
    ]
    return "\n".join(line for line in lines if line)


def _many(incident: Incident) -> str:
    """How many alerts there are beside the one that the title tells of."""
    more = incident.alerts_total - 1
    return f"+{counted(more, 'alert')}, {incident.alerts_firing:,} firing in all." if more > 0 else ""


def _mitigation_said(approval: str, entry: e.Entry, after: Incident, words: str) -> tuple[Work, ...]:
    found = after.approval(approval)
    action = found.action if found else "Mitigation"
    return (Send("post", f"mitigation:{entry.seq}", f"{action}: {after.title}", f"{action} {words}"),)
