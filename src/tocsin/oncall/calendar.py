"""iCalendar text (RFC 5545) -> shifts. Refuses to fetch, and to know what time it is.

Recurrence keeps the wall clock: a weekly shift that begins and ends on Monday at 09:00 does so in winter and summer, so
that turns which touch on the calendar touch in time. What cannot be read is left out and said in `notes`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import icalendar
from dateutil.rrule import rrule, rruleset, rrulestr

from tocsin.oncall.roster import Person
from tocsin.oncall.rotation import reached

_FREQUENCIES = frozenset(
    {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}
)  # finer ones cost seconds to search, and are no shifts
_SLACK = timedelta(days=2)
_NO_FEED = "is not an iCalendar feed, or was cut off: give the address that ends in .ics, not the calendar's page"
_Series: TypeAlias = "rrule | rruleset"


class CalendarError(ValueError):
    """The text is no calendar; the message is one line."""


class _Skip(ValueError):
    """This one event is left out; the message says why."""


class Event:
    """One event of a calendar with its repetitions; `start` and `length` are of the clock on the wall in `zone`."""

    def __init__(self, people: tuple[str, ...], start: datetime, length: timedelta, zone: tzinfo) -> None:
        self.people = people
        self.start = start
        self.length = length
        self.zone = zone
        self.series: tuple[_Series, ...] = ()
        self.extra: tuple[datetime, ...] = ()
        self.without: set[date | datetime] = set()
        """Starts that do not take place; a plain date is every start on that day."""

    def spans(self, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        """(begin, end) in UTC of each occurrence that may touch the time from `since` to `until`, both inclusive."""
        first = since.astimezone(self.zone).replace(tzinfo=None) - self.length - _SLACK
        last = until.astimezone(self.zone).replace(tzinfo=None) + _SLACK
        starts = set(self.extra) if self.series else {self.start, *self.extra}
        for series in self.series:
            starts.update(series.between(first, last, inc=True))
        for start in sorted(starts):
            if first <= start <= last and start not in self.without and start.date() not in self.without:
                yield reached(start, self.zone), reached(start + self.length, self.zone)

    def following(self, instant: datetime) -> datetime | None:
        """The begin of the first occurrence after `instant`, in UTC."""
        wall = instant.astimezone(self.zone).replace(tzinfo=None) - _SLACK
        starts = [*self.extra, *(() if self.series else (self.start,))]
        for series in self.series:
            for start in series.xafter(wall, inc=True):
                if self._takes_place(start) and reached(start, self.zone) > instant:
                    starts.append(start)
                    break
        begins = (reached(s, self.zone) for s in starts if self._takes_place(s))
        return min((b for b in begins if b > instant), default=None)

    def _takes_place(self, start: datetime) -> bool:
        return start not in self.without and start.date() not in self.without


class Calendar:
    """The shifts of one feed. `notes` has a line for each event that was left out."""

    def __init__(self, events: Sequence[Event], notes: Sequence[str]) -> None:
        self.events = tuple(events)
        self.notes = tuple(notes)

    def at(self, instant: datetime) -> tuple[str, ...]:
        """Everybody whose event covers `instant` (begin inclusive, end exclusive), the one who began last first."""
        on = [
            (begin, event.people)
            for event in self.events
            for begin, end in event.spans(instant, instant)
            if begin <= instant < end
        ]
        on.sort(key=lambda shift: shift[0], reverse=True)
        return tuple(dict.fromkeys(person for _, people in on for person in people))

    def next_handoff(self, instant: datetime) -> datetime | None:
        """The first begin or end of a shift after `instant`, in UTC; None when there is none."""
        ends = (end for event in self.events for begin, end in event.spans(instant, instant) if begin <= instant < end)
        begins = (begin for event in self.events if (begin := event.following(instant)) is not None)
        return min([*ends, *begins], default=None)


def parse(text: str, *, people: Sequence[Person], timezone: tzinfo) -> Calendar:
    """The shifts of a feed. `timezone` is for times and whole days without a zone, unless the feed has X-WR-TIMEZONE.

    A person is known by the e-mail address of an attendee who has not declined, else by name, id or address in the
    summary. Of two events with one UID the one with the higher SEQUENCE counts, then the later one. Raises
    CalendarError.
    """
    try:
        calendars = icalendar.Calendar.from_ical(text, multiple=True)
    except (ValueError, LookupError) as error:
        raise CalendarError(_NO_FEED) from error
    if not calendars or any(calendar.name != "VCALENDAR" for calendar in calendars):
        raise CalendarError(_NO_FEED)
    events: list[Event] = []
    notes: list[str] = []
    for calendar in calendars:
        reader = _Reader(people, *_zone(calendar, timezone))
        for family in _families(calendar).values():
            events += reader.family(family, notes)
    return Calendar(events, notes)


def _zone(calendar: Any, fallback: tzinfo) -> tuple[tzinfo, bool]:
    """The zone of times without one, and whether the feed itself said it."""
    try:
        return ZoneInfo(str(calendar["X-WR-TIMEZONE"])), True
    except (LookupError, ValueError, OSError):
        return fallback, False


def _families(calendar: Any) -> dict[str, list[Any]]:
    """The events by UID; an event without one is a family of its own."""
    families: dict[str, list[Any]] = {}
    for place, event in enumerate(calendar.walk("VEVENT")):
        families.setdefault(str(event.get("UID") or f"#{place}"), []).append(event)
    return families


class _Reader:
    def __init__(self, people: Sequence[Person], zone: tzinfo, zone_is_the_feeds: bool) -> None:
        self.people = people
        self.zone = zone
        self.zone_is_the_feeds = zone_is_the_feeds

    def family(self, components: Sequence[Any], notes: list[str]) -> list[Event]:
        """The series of one UID and the single occurrences that were changed."""
        latest: dict[object, Any] = {}
        for component in components:
            key = str(component["RECURRENCE-ID"].to_ical()) if "RECURRENCE-ID" in component else None
            if key not in latest or _sequence(component) >= _sequence(latest[key]):
                latest[key] = component
        master = latest.pop(None, None)
        if master is not None and _cancelled(master):
            return []
        series = self._read(master, notes) if master is not None else None
        events = [] if series is None else [series]
        for change in latest.values():
            if series is not None:
                series.without.add(self._wall(change["RECURRENCE-ID"].dt, series.zone))
            if not _cancelled(change) and (event := self._read(change, notes)) is not None:
                events.append(event)
        return events

    def _read(self, component: Any, notes: list[str]) -> Event | None:
        try:
            return self._event(component)
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
            # icalendar hands out values of other types for odd but parseable input; one event must not cost the rest
            reason = str(error) if isinstance(error, _Skip) else "it cannot be read"
            notes.append(f'calendar event "{str(component.get("SUMMARY", ""))[:60]}" is left out: {reason}')
            return None

    def _event(self, component: Any) -> Event:
        people = _people(component, self.people)
        if not people:
            raise _Skip("neither its attendees nor its summary name anybody of [people]")
        if "DTSTART" not in component:
            raise _Skip("it has no DTSTART")
        begins = component["DTSTART"].dt
        zone = self._zone_of(begins, repeats="RRULE" in component)
        start = self._wall(begins, zone)
        start = start if isinstance(start, datetime) else datetime.combine(start, time())
        event = Event(people, start, self._length(component, start, zone), zone)
        if event.length <= timedelta(0):
            raise _Skip("it does not end after it begins")
        if "RECURRENCE-ID" in component:
            if component["RECURRENCE-ID"].params.get("RANGE"):
                raise _Skip(
                    "it changes all later occurrences too (RANGE=THISANDFUTURE): end the series and begin a new one"
                )
            return event
        event.series = tuple(_series(rule, start, zone) for rule in _listed(component.get("RRULE")))
        event.extra = tuple(self._start(moment, zone) for moment in _moments(component.get("RDATE")))
        if event.series:
            event.extra += (start,)  # RFC 5545 3.8.5.3: DTSTART is the first instance
        event.without.update(self._wall(moment, zone) for moment in _moments(component.get("EXDATE")))
        return event

    def _zone_of(self, begins: date, *, repeats: bool) -> tzinfo:
        """The zone whose clock the event keeps.

        A feed with X-WR-TIMEZONE that writes repeated events in UTC means that zone's clock (calendars show it so).
        """
        zone = begins.tzinfo if isinstance(begins, datetime) else None
        if zone is None or (zone.utcoffset(None) == timedelta(0) and repeats and self.zone_is_the_feeds):
            return self.zone
        return zone

    def _length(self, component: Any, start: datetime, zone: tzinfo) -> timedelta:
        if "DTEND" in component:
            return self._start(component["DTEND"].dt, zone) - start
        if "DURATION" in component:
            length = component["DURATION"].dt
            return length if isinstance(length, timedelta) else timedelta(0)
        return timedelta(0) if isinstance(component["DTSTART"].dt, datetime) else timedelta(days=1)

    def _start(self, moment: date | tuple[date, object], zone: tzinfo) -> datetime:
        moment = moment[0] if isinstance(moment, tuple) else moment
        wall = self._wall(moment, zone)
        return wall if isinstance(wall, datetime) else datetime.combine(wall, time())

    def _wall(self, moment: date, zone: tzinfo) -> date | datetime:
        """The moment on the wall clock of `zone`, naive; a whole day stays a date."""
        if isinstance(moment, datetime) and moment.tzinfo is not None:
            return moment.astimezone(zone).replace(tzinfo=None)
        return moment


def _series(rule: Any, start: datetime, zone: tzinfo) -> _Series:
    if str(rule.get("FREQ", [""])[0]) not in _FREQUENCIES:
        raise _Skip("it repeats more often than daily, or in no known way")
    plain = icalendar.vRecur(rule)
    if "UNTIL" in plain:
        plain["UNTIL"] = [_until(plain["UNTIL"][0], zone)]
        plain.pop("COUNT", None)  # RFC 5545 3.3.10 allows one of the two
    text: bytes = plain.to_ical()  # type: ignore[no-untyped-call]  # icalendar leaves it without types
    return rrulestr(text.decode(), dtstart=start, cache=True)


def _until(until: date, zone: tzinfo) -> datetime:
    """The last start, on the wall: UNTIL in UTC is brought to the event's clock; a date includes that day."""
    if not isinstance(until, datetime):
        return datetime.combine(until, time.max.replace(microsecond=0))
    return until.astimezone(zone).replace(tzinfo=None) if until.tzinfo else until


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _moments(value: Any) -> list[Any]:
    return [moment.dt for entry in _listed(value) for moment in entry.dts]


def _sequence(component: Any) -> tuple[int, datetime]:
    stamp = next((component[k].dt for k in ("LAST-MODIFIED", "DTSTAMP") if k in component), None)
    if not isinstance(stamp, datetime):
        stamp = datetime.min.replace(tzinfo=UTC)
    return int(component.get("SEQUENCE", 0)), stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)


def _cancelled(component: Any) -> bool:
    return str(component.get("STATUS", "")).upper() == "CANCELLED"


def _people(component: Any, people: Sequence[Person]) -> tuple[str, ...]:
    """The ids of the people an event names."""
    invited = {
        str(attendee).casefold().removeprefix("mailto:")
        for attendee in _listed(component.get("ATTENDEE"))
        if str(attendee.params.get("PARTSTAT", "")).upper() != "DECLINED"
    }
    by_mail = tuple(p.id for p in people if p.email and p.email.casefold() in invited)
    return by_mail or _mentioned(str(component.get("SUMMARY", "")), people)


def _mentioned(text: str, people: Sequence[Person]) -> tuple[str, ...]:
    """Whom the text names, as whole words, in the text's order; "Ana Nova" is not also "Ana"."""
    names = [(name, p.id) for p in people for name in {p.name, p.id, p.email or p.id}]
    found: dict[int, str] = {}
    for name, id_ in sorted(names, key=lambda n: len(n[0]), reverse=True):
        for match in re.finditer(rf"(?<![\w@.]){re.escape(name)}(?![\w@])", text, re.IGNORECASE):
            found[match.start()] = id_
            text = text[: match.start()] + "\0" * len(match[0]) + text[match.end() :]
    return tuple(dict.fromkeys(found[place] for place in sorted(found)))
