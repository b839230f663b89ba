"""The timeline as a reader wants it: what belongs together on one row, nothing lost.

A page's deliveries join the page, a procedure's steps join its end, a storm of alerts is one row, and so are repeated
reminders, ticks and failures. Every entry belongs to exactly one row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from tocsin.incident import events as e
from tocsin.incident.state import Incident
from tocsin.incident.wording import by_way, describe, duration, instant, listed, one_line, outcome_words


class Row(Struct, frozen=True):
    """`at` is the first entry's instant, `seqs` the entries told by this row."""

    at: datetime
    text: str
    seqs: tuple[int, ...]


def storyline(incident: Incident, timeline: Sequence[e.Entry]) -> tuple[Row, ...]:
    """The timeline's rows, oldest first; costs one pass."""
    groups: dict[int, list[e.Entry]] = {}
    pages: dict[tuple[str, str], int] = {}
    ends = {entry.event.run: entry.seq for entry in timeline if isinstance(entry.event, e.RunFinished)}
    last: e.Entry | None = None
    for entry in timeline:
        event = entry.event
        home = _home(entry, pages=pages, ends=ends, last=last)
        groups.setdefault(home, []).append(entry)
        if isinstance(event, e.Paged | e.Informed):
            pages[event.key, event.person] = home
        if home == entry.seq:
            last = entry
    return tuple(_row(groups[home], home, incident) for home in sorted(groups))


def _home(entry: e.Entry, *, pages: dict[tuple[str, str], int], ends: dict[str, int], last: e.Entry | None) -> int:
    """The seq of the entry on whose row this one is told; its own when it begins a row."""
    event = entry.event
    if isinstance(event, e.MessageDelivered | e.MessageFailed | e.ContactTried):
        person = event.person if isinstance(event, e.ContactTried) else event.to
        first_key = event.key.rpartition("|")[0]  # a further try's key is `opened|1`
        page = pages.get((event.key, person), pages.get((first_key, person)))
        if page is not None:
            return page
    if isinstance(event, e.StepFinished) and ends.get(event.run, 0) > entry.seq:
        return ends[event.run]
    if last is None:
        return entry.seq
    # that a message reached its channel is no news: it stands with what caused it
    joins = isinstance(event, e.MessageDelivered) or _alike(last, entry)
    return last.seq if joins else entry.seq


def _alike(last: e.Entry, entry: e.Entry) -> bool:
    before, event = last.event, entry.event
    if isinstance(event, e.AlertFired | e.AlertResolved):
        return type(before) is type(event)
    if isinstance(event, e.UpdateReminded):
        return isinstance(before, e.UpdateReminded) and before.who == event.who
    if isinstance(event, e.MessageFailed) and isinstance(before, e.MessageFailed):
        return (before.kind, before.channel, before.to) == (event.kind, event.channel, event.to)
    if isinstance(event, e.ChecklistTicked) and isinstance(before, e.ChecklistTicked):
        return last.actor == entry.actor and before.done == event.done and not event.note and not before.note
    return False


def _row(entries: list[e.Entry], home: int, incident: Incident) -> Row:
    head = next(entry for entry in entries if entry.seq == home)
    said = _together(head, entries, incident)
    return Row(head.at, one_line(said), tuple(entry.seq for entry in entries))


def _together(head: e.Entry, entries: list[e.Entry], incident: Incident) -> str:
    """The head's sentence with what the rest of its row adds."""
    said = describe(head, incident)
    rest = [entry.event for entry in entries if entry is not head]
    if isinstance(head.event, e.Paged | e.Informed):
        return said + _reached(rest)
    if isinstance(head.event, e.RunFinished):
        return said + _steps([event for event in rest if isinstance(event, e.StepFinished)])
    same = [entry for entry in entries if type(entry.event) is type(head.event)]
    if len(same) == 1:
        return said
    if isinstance(head.event, e.AlertFired | e.AlertResolved):
        return _alerts(same, verb="began to fire" if isinstance(head.event, e.AlertFired) else "stopped firing")
    if isinstance(head.event, e.ChecklistTicked):
        ticked = (entry.event.text for entry in same if isinstance(entry.event, e.ChecklistTicked))
        return f"{said}, and {len(same) - 1} more: {listed(list(ticked)[1:], most=10)}"
    return f"{said} ({len(same)} times, last at {instant(same[-1].at, head.at)})"


def _alerts(entries: list[e.Entry], *, verb: str) -> str:
    events = [entry.event for entry in entries if isinstance(entry.event, e.AlertFired | e.AlertResolved)]
    names = listed(dict.fromkeys(event.name for event in events))
    took = entries[-1].at - entries[0].at
    return f"{len(entries)} alerts {verb} within {duration(took)}: {names}"


def _reached(events: Iterable[e.Event]) -> str:
    """`; delivered by e-mail; not by webhook: refused`, each way once."""
    said: dict[str, None] = {}
    for event in events:
        if isinstance(event, e.MessageDelivered):
            said[f"; delivered {by_way(event.channel)}"] = None
        elif isinstance(event, e.ContactTried):
            said[f"; tried again {by_way(event.via)}"] = None
        elif isinstance(event, e.MessageFailed):
            said[f"; not delivered {by_way(event.channel)}: {event.reason}"] = None
    return "".join(said)


def _steps(steps: Sequence[e.StepFinished]) -> str:
    """`: 3 of 5 steps in order; "Check pods" found a problem: 2 of 3 ready`."""
    if not steps:
        return ""
    odd = [step for step in steps if step.outcome not in ("ok", "nothing_found")]
    fine = f": {len(steps) - len(odd)} of {len(steps)} steps without a problem"
    return fine + "".join(
        f'; "{s.title}" {outcome_words(s.outcome)}' + (f": {s.reason}" if s.reason else "") for s in odd
    )
