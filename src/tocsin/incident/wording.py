"""The English of the timeline: one plain sentence an event, without a full stop. Nothing here is escaped for a page.

A sentence uses what the event itself holds; given the incident, it also names the mitigation, procedure or action item
that the event only points to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import singledispatch

from tocsin.incident import events as e
from tocsin.incident.facts import label
from tocsin.incident.state import Incident

_WAYS = {
    "link": "by the link in the page",
    "web": "in the incident room",
    "cli": "on the command line",
    "api": "through the API",
    "slack": "in Slack",
    "email": "by e-mail",
    "sms": "by text message",
    "push": "by push message",
    "webhook": "by webhook",
    "console": "on the console",
    "resolve": "by resolving it",
    "drill": "in a drill",
    "merge": "in an incident that was merged into this one",
    "split": "in the incident that this one was split from",
}
_MESSAGES = {"page": "page", "notify": "notice", "post": "message", "update": "update", "status": "status update"}
_OUTCOMES = {
    "ok": "succeeded",
    "nothing_found": "found nothing",
    "unhealthy": "found a problem",
    "failed": "failed",
    "timed_out": "ran out of time",
    "unknown": "ended without a known outcome",
    "manual": "is for a person to do",
    "cancelled": "was cancelled",
}
_RUNS = {
    "done": "finished",
    "failed": "failed",
    "cancelled": "was cancelled",
    "unknown": "was cut off, outcome unknown",
}
# C0 and C1 controls, lone surrogates, and the marks that reorder the text after them (bidirectional overrides)
_HARMFUL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]")


def describe(entry: e.Entry, incident: Incident | None = None) -> str:
    """What happened, as one line of plain text; `incident` lets it name what the event only points to."""
    return one_line(_said(entry.event, entry, incident))


def duration(span: timedelta) -> str:
    """`45 s`, `1 min 30 s`, `1 h 5 min`, `2 days 3 h`: the two largest units, no more; a minus when negative."""
    if span < timedelta(0):
        return f"-{duration(-span)}"
    if timedelta(0) < span < timedelta(seconds=1):
        return "under 1 s"
    minutes, seconds = divmod(int(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    counted = ((days, "day" if days == 1 else "days"), (hours, "h"), (minutes, "min"), (seconds, "s"))
    first = next((n for n, (count, _) in enumerate(counted) if count), 3)
    return " ".join(f"{count} {unit}" for count, unit in counted[first : first + 2] if count) or "0 s"


def instant(at: datetime, beside: datetime | None = None) -> str:
    """`2026-01-05 10:00 UTC`; without the date when `beside` is of the same day."""
    return at.strftime("%H:%M UTC" if beside and beside.date() == at.date() else "%Y-%m-%d %H:%M UTC")


def harmless(text: str) -> str:
    """The text without control characters and direction overrides; tabs and line ends stay, as spaces and `\\n`."""
    return _HARMFUL.sub("", re.sub(r"\r\n?|[\u2028\u2029\x85]", "\n", text).replace("\t", " "))


def one_line(text: str) -> str:
    """The text on one line, blanks collapsed, harmless to what stands after it."""
    return " ".join(harmless(text).split())


def listed(names: Iterable[str], most: int = 5) -> str:
    """`a`, `a and b`, `a, b and c`; past `most` names, `a, b, c, d, e and 7 more`."""
    all_ = list(names)
    if len(all_) > most:
        all_ = [*all_[:most], f"{len(all_) - most} more"]
    return " and ".join(filter(None, (", ".join(all_[:-1]), *all_[-1:])))


def counted(many: int, what: str) -> str:
    """`1 alert`, `9,999 alerts`."""
    return f"{many:,} {what}{'' if many == 1 else 's'}"


def outcome_words(outcome: str) -> str:
    """What a step's outcome says of it: `timed_out` gives `ran out of time`."""
    return _OUTCOMES.get(outcome, outcome.replace("_", " "))


def by_way(via: str) -> str:
    """`by e-mail`, `in the incident room`; a channel without words of its own is named."""
    return _WAYS.get(via, f"by {via}" if via else "")


def role_words(role: str) -> str:
    return "incident commander" if role == "commander" else role


@singledispatch
def _said(event: e.Event, entry: e.Entry, incident: Incident | None) -> str:
    """Words for an event that has none of its own (a test refuses that): its name, spaced."""
    return "".join(f" {c.lower()}" if c.isupper() else c for c in type(event).__name__).strip().capitalize()


def _who(entry: e.Entry) -> str:
    return entry.actor[:1].upper() + entry.actor[1:] if entry.actor else "Somebody"


def _by_itself(entry: e.Entry) -> bool:
    return entry.actor in ("", "tocsin")


def _because(reason: str) -> str:
    return f": {reason}" if reason.strip() else ""


def _action(incident: Incident | None, approval: str) -> str:
    found = incident and incident.approval(approval)
    return found.action if found else "the mitigation"


def _procedure(incident: Incident | None, run: str) -> str:
    found = incident and incident.run(run)
    return found.title if found else "The procedure"


# Opening, alerts, ownership


@_said.register
def _(event: e.Opened, entry: e.Entry, incident: Incident | None) -> str:
    why = f" ({event.severity_reason})" if event.severity_reason else ""
    service = f" for {event.service}" if event.service else ""
    return f"{_who(entry)} opened the incident{service} as {event.severity}{why}: {event.title}"


@_said.register
def _(event: e.AlertFired, entry: e.Entry, incident: Incident | None) -> str:
    since = entry.at - event.starts_at
    fires = f"has been firing for {duration(since)}" if since >= timedelta(minutes=1) else "began to fire"
    return f"Alert {event.name} {fires}{_because('' if event.summary == event.name else event.summary)}"


@_said.register
def _(event: e.AlertResolved, entry: e.Entry, incident: Incident | None) -> str:
    return f"Alert {event.name} stopped firing"


@_said.register
def _(event: e.Reported, entry: e.Entry, incident: Incident | None) -> str:
    return f"{one_line(event.reporter) or 'Somebody'} reported: {event.text}"


@_said.register
def _(event: e.Acknowledged, entry: e.Entry, incident: Incident | None) -> str:
    said = f"{_who(entry)} acknowledged {by_way(event.via)}".strip()
    if event.due_at is None:
        return said
    left = event.due_at - entry.at
    if left >= timedelta(0):
        return f"{said}, {duration(left)} before it was due"
    return f"{said}, {duration(-left)} after it was due"


@_said.register
def _(event: e.AcknowledgeMissed, entry: e.Entry, incident: Incident | None) -> str:
    return f"Nobody had acknowledged by {instant(event.due_at, entry.at)}, when it was due"


@_said.register
def _(event: e.SeverityChanged, entry: e.Entry, incident: Incident | None) -> str:
    before = f" from {event.previous}" if event.previous else ""
    return f"{_who(entry)} changed the severity{before} to {event.severity}{_because(event.reason)}"


@_said.register
def _(event: e.RoleAssigned, entry: e.Entry, incident: Incident | None) -> str:
    role = role_words(event.role)
    if event.person == entry.actor:
        return f"{_who(entry)} became {role}"
    return f"{_who(entry)} made {event.person} {role}"


@_said.register
def _(event: e.Noted, entry: e.Entry, incident: Incident | None) -> str:
    return f"{_who(entry)} noted: {event.text}"


@_said.register
def _(event: e.FactRecorded, entry: e.Entry, incident: Incident | None) -> str:
    return f"{_who(entry)} recorded the {label(event.name)}: {event.text}"


# Paging


@_said.register
def _(event: e.Paged, entry: e.Entry, incident: Incident | None) -> str:
    return f"{_who(entry)} paged {event.person} ({role_words(event.role)}){_because(event.cause)}"


@_said.register
def _(event: e.ContactTried, entry: e.Entry, incident: Incident | None) -> str:
    return f"{event.person} had not answered yet, so {_who(entry)} tried again {by_way(event.via)}"


@_said.register
def _(event: e.RungPassed, entry: e.Entry, incident: Incident | None) -> str:
    return (
        f"Nobody could be paged as {role_words(event.role)}, so the next rung was due at once{_because(event.reason)}"
    )


@_said.register
def _(event: e.Informed, entry: e.Entry, incident: Incident | None) -> str:
    role = role_words(event.role)
    return f"{_who(entry)} informed {event.person} ({role}) without a page, as the incident was already acknowledged"


@_said.register
def _(event: e.MessageDelivered, entry: e.Entry, incident: Incident | None) -> str:
    to = f" to {event.to}" if event.to else ""
    return f"The {_MESSAGES.get(event.kind, event.kind)}{to} was delivered {by_way(event.channel)}"


@_said.register
def _(event: e.MessageFailed, entry: e.Entry, incident: Incident | None) -> str:
    to = f" to {event.to}" if event.to else ""
    kind = _MESSAGES.get(event.kind, event.kind)
    return f"The {kind}{to} could not be delivered {by_way(event.channel)}{_because(event.reason)}"


# Communication


@_said.register
def _(event: e.Posted, entry: e.Entry, incident: Incident | None) -> str:
    blanks = f", with {listed(map(label, event.missing))} still to be filled in" if event.missing else ""
    what = f'the message "{event.template}"' if event.template else "a message"
    return f"{_who(entry)} posted {what} to the team's channel{blanks}"


@_said.register
def _(event: e.UpdateReminded, entry: e.Entry, incident: Incident | None) -> str:
    who = listed(event.who) or "the team"
    return f"{_who(entry)} reminded {who} of the update due at {instant(event.due_at, entry.at)}"


@_said.register
def _(event: e.StatusPublished, entry: e.Entry, incident: Incident | None) -> str:
    return f'{_who(entry)} published "{event.status.capitalize()}" on the status page{_because(event.text)}'


# Steps and evidence


@_said.register
def _(event: e.RunStarted, entry: e.Entry, incident: Incident | None) -> str:
    count = len(event.steps)
    return f"{_who(entry)} started {event.title} ({count} {'step' if count == 1 else 'steps'})"


@_said.register
def _(event: e.StepFinished, entry: e.Entry, incident: Incident | None) -> str:
    return f'The step "{event.title}" {outcome_words(event.outcome)}{_because(event.reason)}'


@_said.register
def _(event: e.RunFinished, entry: e.Entry, incident: Incident | None) -> str:
    if event.status == "cancelled" and not _by_itself(entry):
        return f"{_who(entry)} stopped {_procedure(incident, event.run)}{_because(event.reason)}"
    return f"{_procedure(incident, event.run)} {_RUNS.get(event.status, event.status)}{_because(event.reason)}"


# Decision tree and mitigations


@_said.register
def _(event: e.Answered, entry: e.Entry, incident: Incident | None) -> str:
    question = event.question.replace("-", " ")
    return f'{_who(entry)} answered {event.answer} to "{question}"{_because(event.reason)}'


@_said.register
def _(event: e.MitigationProposed, entry: e.Entry, incident: Incident | None) -> str:
    if event.needs == 0:
        return f"{_who(entry)} had {event.action} run without an approval{_because(event.command)}"
    people = "one person" if event.needs == 1 else f"{event.needs} people"
    until = instant(event.expires_at, entry.at)
    return f"{_who(entry)} proposed {event.action}, for {people} to approve by {until}{_because(event.command)}"


@_said.register
def _(event: e.MitigationApproved, entry: e.Entry, incident: Incident | None) -> str:
    return f"{_who(entry)} approved {_action(incident, event.approval)}"


@_said.register
def _(event: e.GlassBroken, entry: e.Entry, incident: Incident | None) -> str:
    action = _action(incident, event.approval)
    return f"BREAK-GLASS: {_who(entry)} ran {action} at once, unapproved{_because(event.reason)}"


@_said.register
def _(event: e.MitigationRejected, entry: e.Entry, incident: Incident | None) -> str:
    return f"{_who(entry)} rejected {_action(incident, event.approval)}{_because(event.reason)}"


@_said.register
def _(event: e.ApprovalExpired, entry: e.Entry, incident: Incident | None) -> str:
    return f"Nobody approved {_action(incident, event.approval)} in time"


@_said.register
def _(event: e.MitigationStarted, entry: e.Entry, incident: Incident | None) -> str:
    return f"{_who(entry)} started {_action(incident, event.approval)}"


@_said.register
def _(event: e.MitigationFinished, entry: e.Entry, incident: Incident | None) -> str:
    action = _action(incident, event.approval)
    ended = {"done": "succeeded", "failed": "failed"}.get(event.outcome, event.outcome)
    return f"{action[:1].upper()}{action[1:]} {ended}{_because(event.reason)}"


@_said.register
def _(event: e.MitigationOutcomeUnknown, entry: e.Entry, incident: Incident | None) -> str:
    return f"Nobody knows whether {_action(incident, event.approval)} took effect{_because(event.reason)}"


@_said.register
def _(event: e.MitigationObserved, entry: e.Entry, incident: Incident | None) -> str:
    return (
        f"After {_action(incident, event.approval)}: {event.check.what} {event.check.state}{_because(event.check.said)}"
    )


@_said.register
def _(event: e.MitigationOutputKept, entry: e.Entry, incident: Incident | None) -> str:
    return f"What {_action(incident, event.approval)} had printed until it was stopped is kept"


# The end


@_said.register
def _(event: e.Mitigated, entry: e.Entry, incident: Incident | None) -> str:
    if _by_itself(entry):
        return f"The impact stopped{_because(event.reason)}"
    return f"{_who(entry)} said that the impact had stopped{_because(event.reason)}"


@_said.register
def _(event: e.VerificationStarted, entry: e.Entry, incident: Incident | None) -> str:
    least, most = instant(event.earliest_at, entry.at), instant(event.latest_at, entry.at)
    return f"{_who(entry)} began to watch the fix, until {least} at least and {most} at most{_because(event.cause)}"


@_said.register
def _(event: e.ResolveRequested, entry: e.Entry, incident: Incident | None) -> str:
    return f"{_who(entry)} asked to resolve the incident once verification and checklist agree"


@_said.register
def _(event: e.VerificationFailed, entry: e.Entry, incident: Incident | None) -> str:
    return f"The verification failed{_because(event.reason)}"


@_said.register
def _(event: e.VerificationPassed, entry: e.Entry, incident: Incident | None) -> str:
    return "The verification passed"


@_said.register
def _(event: e.ChecklistTicked, entry: e.Entry, incident: Incident | None) -> str:
    verb = "ticked" if event.done else "unticked"
    return f'{_who(entry)} {verb} "{event.text}"{_because(event.note)}'


@_said.register
def _(event: e.Resolved, entry: e.Entry, incident: Incident | None) -> str:
    still = f" with {listed(event.open_items)} still open" if event.open_items else ""
    if _by_itself(entry):
        return f"The incident was resolved{still}{_because(event.reason)}"
    return f"{_who(entry)} resolved the incident{still}{_because(event.reason)}"


@_said.register
def _(event: e.Reopened, entry: e.Entry, incident: Incident | None) -> str:
    return f"{_who(entry)} reopened the incident{_because(event.reason)}"


@_said.register
def _(event: e.ResolveProposed, entry: e.Entry, incident: Incident | None) -> str:
    still = f", with {listed(event.missing)}" if event.missing else ""
    return f"All signals ended {duration(entry.at - event.since)} ago: {_who(entry)} proposed to resolve{still}"


# Several incidents


@_said.register
def _(event: e.Merged, entry: e.Entry, incident: Incident | None) -> str:
    return f"{_who(entry)} merged this incident into #{event.number} {event.title}{_because(event.reason)}"


@_said.register
def _(event: e.Absorbed, entry: e.Entry, incident: Incident | None) -> str:
    with_ = (
        f", with {counted(event.alerts_total, 'alert')}, {event.alerts_firing:,} firing" if event.alerts_total else ""
    )
    return f"{_who(entry)} merged #{event.number} {event.title} into this incident{with_}{_because(event.reason)}"


@_said.register
def _(event: e.SplitOff, entry: e.Entry, incident: Incident | None) -> str:
    what = counted(event.alerts_total, "alert")
    return f"{_who(entry)} split {what} off, as #{event.number} {event.title}{_because(event.reason)}"


@_said.register
def _(event: e.SplitFrom, entry: e.Entry, incident: Incident | None) -> str:
    what = counted(event.alerts_total, "alert")
    return f"{_who(entry)} split this incident from #{event.number} {event.title}, with {what}"


@_said.register
def _(event: e.Joined, entry: e.Entry, incident: Incident | None) -> str:
    about = f" of {event.service}" if event.service else ""
    return f"Alert {event.alert}{about} joined this incident{_because(event.why)}"


@_said.register
def _(event: e.RelationDenied, entry: e.Entry, incident: Incident | None) -> str:
    return f"{_who(entry)} said that #{event.number} is not related{_because(event.reason)}"


# Afterwards


@_said.register
def _(event: e.ActionItemAdded, entry: e.Entry, incident: Incident | None) -> str:
    owner = f"for {event.owner}" if event.owner else "without an owner"
    return f'{_who(entry)} added the action item "{event.title}" {owner}, due {event.due_at:%Y-%m-%d}'


@_said.register
def _(event: e.ActionItemDone, entry: e.Entry, incident: Incident | None) -> str:
    title = next((a.title for a in incident.action_items if a.id == event.item), "") if incident else ""
    return f'{_who(entry)} finished the action item "{title}"' if title else f"{_who(entry)} finished an action item"


@_said.register
def _(event: e.TaskReminded, entry: e.Entry, incident: Incident | None) -> str:
    tense = "was due" if event.due_at <= entry.at else "is due"
    return f'{_who(entry)} reminded {event.who or "the team"} that "{event.what}" {tense} {instant(event.due_at)}'


@_said.register
def _(event: e.Closed, entry: e.Entry, incident: Incident | None) -> str:
    return f"{_who(entry)} closed the incident{_because(event.reason)}"
