"""Messages to one person that wait together become one: a storm rings once, and names every incident it is about.

What comes alone goes alone and at once. While one message is handed over the next ones gather, and share the next
hand-over; who gets one bundle after the other gets them at a pace. Pure, but for the memory of what went out.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from tocsin.engine.ports import Bundled, Message

Way = tuple[str, str]
"""A channel, and what is bundled in it: a kind of message to a person."""

GATHER, LATER = timedelta(seconds=0.1), timedelta(seconds=5)
"""After a bundle the next waits so long; after `QUICK` of them within a minute half as long again for each one more, at
most `LATER`: nobody reads five a second, and who waits for the end of a storm waits a part of its length."""
QUICK, SLOWER = 5, 1.5
BUNDLES = QUICK + 10
AGAIN = 3
"""Of notices, and of pages repeated by a person's own rules, so many go out a minute; the rest gather. The first page
of an incident never waits for this."""
MINUTE = timedelta(minutes=1)
WHOLE = 30
"""So many of a bundle are told with their links, within what every channel carries; the others by their numbers."""
FIRST = "page:"
"""How the bundle of first pages begins; see `tocsin.store.rows.bundle_of`."""


class Pace:
    """Remembers the hand-overs of the last minute, by way."""

    def __init__(self) -> None:
        self._bundles: dict[Way, deque[datetime]] = {}
        self._all: dict[Way, deque[datetime]] = {}

    def handed_over(self, way: Way, size: int, at: datetime) -> None:
        """So many messages left in one hand-over."""
        self._all.setdefault(way, deque(maxlen=AGAIN)).append(at)
        if size > 1:
            self._bundles.setdefault(way, deque(maxlen=BUNDLES)).append(at)
        else:
            self._bundles.pop(way, None)

    def held(self, now: datetime) -> Mapping[Way, datetime]:
        """The ways that nothing should leave by yet, and until when."""
        found = {}
        for way in self._all:
            until = self._until(way)
            if until is not None and until > now:
                found[way] = until
        for way in [way for way, times in self._all.items() if now - times[-1] >= MINUTE]:
            del self._all[way]
            self._bundles.pop(way, None)
        return found

    def _until(self, way: Way) -> datetime | None:
        bundles, every = self._bundles.get(way), self._all[way]
        gathered = None
        if bundles:
            lately = sum(bundles[-1] - at < MINUTE for at in bundles)
            gathered = bundles[-1] + min(LATER, GATHER * SLOWER ** max(0, lately - QUICK))
        if not way[1].startswith(FIRST) and len(every) == AGAIN:
            return max(filter(None, (gathered, every[0] + MINUTE)))
        return gathered


def bundled(messages: Sequence[Message]) -> Message:
    """One message for all of them, the severest incident first; a single one as it is.

    Its key is made of all of theirs: the same bundle sent again is the same message, another one never is. Of several
    about one incident the last says enough.
    """
    if len(messages) == 1:
        return messages[0]
    ordered = sorted(messages, key=lambda m: (m.incident.severity, m.incident.number))
    told = list({m.incident.number: m for m in ordered}.values())
    keys = "\n".join(sorted(m.idempotency_key for m in ordered))
    return replace(
        told[0] if len(told) == 1 else _list(told),
        idempotency_key=f"bundle:{hashlib.sha256(keys.encode()).hexdigest()[:32]}",
        possible_duplicate=any(m.possible_duplicate for m in ordered),
        bundle=tuple(Bundled(m.incident, m.idempotency_key, m.acknowledge_url) for m in ordered),
    )


def _list(told: Sequence[Message]) -> Message:
    first, rest = told[0], len(told) - 1
    subject = f"{len(told)} incidents: {first.subject}, and {rest} more"
    return replace(first, subject=subject, text="\n\n".join(_listed(told)), acknowledge_url=None)


def _listed(ordered: Sequence[Message]) -> Iterator[str]:
    for message in ordered[:WHOLE]:
        lines = [f"#{message.incident.number} {message.subject}", message.incident.link]
        if message.kind != "page":
            lines.insert(1, message.text)
        if message.acknowledge_url:
            lines.append(f"Acknowledge: {message.acknowledge_url}")
        yield "\n".join(line for line in lines if line)
    if ordered[WHOLE:]:
        yield "And " + ", ".join(f"#{m.incident.number}" for m in ordered[WHOLE:])
