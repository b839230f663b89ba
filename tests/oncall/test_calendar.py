from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tocsin.oncall.calendar import Calendar, CalendarError, parse
from tocsin.oncall.roster import Person

PRAGUE = ZoneInfo("Europe/Prague")
PEOPLE = [
    Person("ana", "Ana", email="ana@example.com"),
    Person("ben", "Ben Novak", email="Ben@Example.com"),
    Person("maria", "Ana Maria"),
]
SECOND = timedelta(seconds=1)


def feed(*events: str, head: str = "") -> Calendar:
    body = "".join(f"BEGIN:VEVENT\n{event.strip()}\nEND:VEVENT\n" for event in events)
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\n{head}{body}END:VCALENDAR\n"
    return parse(text, people=PEOPLE, timezone=PRAGUE)


def prague(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=PRAGUE)  # type: ignore[misc, arg-type]


WEEKLY = """
UID:1
SUMMARY:On-call: Ana
DTSTART;TZID=Europe/Prague:20260105T090000
DTEND;TZID=Europe/Prague:20260112T090000
RRULE:FREQ=WEEKLY;INTERVAL=2
"""
OTHER_WEEK = WEEKLY.replace("UID:1", "UID:2").replace("Ana", "Ben Novak").replace("0105T", "0112T", 1)
OTHER_WEEK = OTHER_WEEK.replace("DTEND;TZID=Europe/Prague:20260112T", "DTEND;TZID=Europe/Prague:20260119T")


@pytest.mark.parametrize("monday", [(2026, 3, 30), (2026, 10, 26)])
def test_weekly_shifts_meet_without_gap_or_overlap_where_the_clocks_change(monday: tuple[int, int, int]) -> None:
    calendar = feed(WEEKLY, OTHER_WEEK)
    handoff = prague(*monday, 9)
    before, after = calendar.at(handoff - SECOND), calendar.at(handoff)
    assert (len(before), len(after)) == (1, 1)
    assert before != after
    assert calendar.next_handoff(handoff - SECOND) == handoff


OWN_ZONE = """BEGIN:VTIMEZONE
TZID:Our zone
BEGIN:STANDARD
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE
"""


@pytest.mark.parametrize("day", [(2026, 1, 5), (2026, 3, 29), (2026, 7, 1), (2026, 10, 25)])
def test_a_zone_that_the_feed_defines_itself_has_no_gap_at_a_handoff_in_the_night_of_the_change(
    day: tuple[int, int, int],
) -> None:
    times = "DTSTART;TZID=Our zone:20260101T023000\nDTEND;TZID=Our zone:20260102T023000\nRRULE:FREQ=DAILY"
    calendar = feed(f"UID:1\nSUMMARY:ana\n{times}", head=OWN_ZONE)
    midnight = prague(*day).astimezone(UTC)
    assert [calendar.at(midnight + timedelta(minutes=m)) for m in range(0, 300, 10)] == [("ana",)] * 30


def test_half_past_eight_stays_half_past_eight_when_a_utc_feed_names_its_zone() -> None:
    utc = "UID:1\nSUMMARY:ana\nDTSTART:20260105T073000Z\nDTEND:20260105T083000Z\nRRULE:FREQ=DAILY"
    named = feed(utc, head="X-WR-TIMEZONE:Europe/Prague\n")
    assert named.at(prague(2026, 7, 1, 8, 30)) == ("ana",)
    assert named.at(prague(2026, 7, 1, 8, 29)) == ()
    assert feed(utc).at(prague(2026, 7, 1, 9, 30)) == ("ana",)


def test_times_without_a_zone_are_of_the_feeds_zone_else_of_the_schedules() -> None:
    floating = "UID:1\nSUMMARY:ana\nDTSTART:20260105T090000\nDTEND:20260105T100000"
    assert feed(floating).at(prague(2026, 1, 5, 9)) == ("ana",)
    chicago = feed(floating, head="X-WR-TIMEZONE:America/Chicago\n")
    assert chicago.at(datetime(2026, 1, 5, 15, tzinfo=UTC)) == ("ana",)
    assert feed(floating, head="X-WR-TIMEZONE:Nowhere/Land\n").at(prague(2026, 1, 5, 9)) == ("ana",)


def test_a_whole_day_event_is_from_midnight_to_midnight() -> None:
    calendar = feed("UID:1\nSUMMARY:ana\nDTSTART;VALUE=DATE:20260329\nDTEND;VALUE=DATE:20260330")
    assert calendar.at(prague(2026, 3, 29)) == calendar.at(prague(2026, 3, 29, 23, 59, 59)) == ("ana",)
    assert calendar.at(prague(2026, 3, 28, 23, 59, 59)) == calendar.at(prague(2026, 3, 30)) == ()


def test_a_whole_day_event_without_end_is_one_day() -> None:
    calendar = feed("UID:1\nSUMMARY:ana\nDTSTART;VALUE=DATE:20260329")
    assert [calendar.at(prague(2026, 3, day, 12)) for day in (29, 30)] == [("ana",), ()]


@pytest.mark.parametrize("until", ["20260202T090000", "20260202T080000Z", "20260202"])
def test_until_includes_the_last_shift_however_it_is_written(until: str) -> None:
    calendar = feed(WEEKLY.replace("INTERVAL=2", f"INTERVAL=2;UNTIL={until}"))
    assert calendar.at(prague(2026, 2, 2, 9)) == ("ana",)
    assert calendar.at(prague(2026, 2, 16, 9)) == ()


def test_count_ends_a_series() -> None:
    calendar = feed(WEEKLY.replace("INTERVAL=2", "INTERVAL=2;COUNT=2"))
    assert [calendar.at(prague(2026, month, day, 9)) for month, day in ((1, 19), (2, 2))] == [("ana",), ()]
    assert calendar.next_handoff(prague(2026, 1, 26, 9)) is None


def test_a_changed_occurrence_replaces_its_original() -> None:
    change = """
UID:1
SUMMARY:Ben Novak
RECURRENCE-ID;TZID=Europe/Prague:20260119T090000
DTSTART;TZID=Europe/Prague:20260120T090000
DTEND;TZID=Europe/Prague:20260126T090000
"""
    calendar = feed(WEEKLY, change)
    assert calendar.at(prague(2026, 1, 19, 12)) == ()
    assert calendar.at(prague(2026, 1, 20, 9)) == ("ben",)
    assert calendar.at(prague(2026, 2, 2, 9)) == ("ana",)


def test_a_cancelled_occurrence_does_not_take_place_and_a_cancelled_series_never_does() -> None:
    gone = "UID:1\nSTATUS:CANCELLED\nRECURRENCE-ID;TZID=Europe/Prague:20260119T090000\nDTSTART:20260119T080000Z"
    calendar = feed(WEEKLY, gone)
    assert [calendar.at(prague(2026, 1, day, 9)) for day in (5, 19)] == [("ana",), ()]
    assert feed(WEEKLY + "STATUS:CANCELLED").at(prague(2026, 1, 5, 9)) == ()


@pytest.mark.parametrize(
    "excluded", [";TZID=Europe/Prague:20260119T090000", ":20260119T080000Z", ";VALUE=DATE:20260119"]
)
def test_an_excluded_date_has_no_shift(excluded: str) -> None:
    calendar = feed(WEEKLY + f"EXDATE{excluded}")
    assert [calendar.at(prague(2026, 1, day, 9)) for day in (5, 19)] == [("ana",), ()]


def test_an_added_date_has_a_shift() -> None:
    calendar = feed(WEEKLY + "RDATE;TZID=Europe/Prague:20260114T090000")
    assert [calendar.at(prague(2026, 1, 14, hour)) for hour in (8, 9)] == [(), ("ana",)]


def test_of_two_events_with_one_uid_the_newer_counts() -> None:
    newer = WEEKLY.replace("Ana", "Ben Novak") + "SEQUENCE:2"
    assert feed(newer, WEEKLY + "SEQUENCE:1").at(prague(2026, 1, 5, 9)) == ("ben",)
    assert feed(WEEKLY, WEEKLY.replace("Ana", "Ben Novak")).at(prague(2026, 1, 5, 9)) == ("ben",)


def test_attendees_who_have_not_declined_come_before_the_summary() -> None:
    invited = WEEKLY + "ATTENDEE;PARTSTAT=DECLINED:mailto:ana@example.com\nATTENDEE:MAILTO:ben@example.com"
    assert feed(invited).at(prague(2026, 1, 5, 9)) == ("ben",)
    assert feed(WEEKLY + "ATTENDEE:mailto:room@example.com").at(prague(2026, 1, 5, 9)) == ("ana",)


@pytest.mark.parametrize(
    ("summary", "on"),
    [
        ("Ana Maria", ("maria",)),
        ("ben", ("ben",)),
        ("Ben Novak (primary)", ("ben",)),
        ("ana@example.com", ("ana",)),
        ("BEN NOVAK\\, Ana", ("ben", "ana")),
        ("Banana", ()),
    ],
)
def test_a_summary_names_people_as_whole_words(summary: str, on: tuple[str, ...]) -> None:
    assert feed(WEEKLY.replace("On-call: Ana", summary)).at(prague(2026, 1, 5, 9)) == on


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (WEEKLY.replace("Ana", "Zoe"), "name anybody"),
        ("UID:1\nSUMMARY:ana\nDTSTART:20260105T090000Z", "does not end"),
        ("UID:1\nSUMMARY:ana", "no DTSTART"),
        ("UID:1\nSUMMARY:ana\nDTSTART:soon\nDTEND:later", "cannot be read"),
        (WEEKLY.replace("WEEKLY", "SECONDLY"), "more often than daily"),
        (WEEKLY + "RECURRENCE-ID;RANGE=THISANDFUTURE:20260119T080000Z", "THISANDFUTURE"),
    ],
)
def test_an_event_that_cannot_be_used_is_left_out_and_named(event: str, why: str) -> None:
    calendar = feed(event, OTHER_WEEK)
    assert [why in note for note in calendar.notes] == [True]
    assert calendar.at(prague(2026, 1, 12, 9)) == ("ben",)


@pytest.mark.parametrize("text", ["", "<html><p>sign in: here</p></html>", "BEGIN:VCALENDAR\nBEGIN:VEVENT\n"])
def test_what_is_no_calendar_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(CalendarError, match=r"^[^\n]*not an iCalendar feed[^\n]*$"):
        parse(text, people=PEOPLE, timezone=PRAGUE)
