from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tocsin.config import Settings, SettingsError, roster, rules
from tocsin.config.rosters import calendar_notes
from tocsin.incident.policy import AfterAcknowledge
from tocsin.runbook.model import Runbook, Rung

Read = Callable[[str], Settings]
FEED = """BEGIN:VCALENDAR
BEGIN:VEVENT
SUMMARY:ana
DTSTART;VALUE=DATE:20260105
END:VEVENT
BEGIN:VEVENT
SUMMARY:Team lunch
DTSTART;VALUE=DATE:20260105
END:VEVENT
END:VCALENDAR
"""
WITH_FEED = "[people.ana]\n[roles]\nCTO = 'schedule:feed'\n[schedules.feed]\nical = 'x.ics'\n"


def test_the_roster_follows_schedule_and_override(read: Read, whole: str) -> None:
    team = roster(read(whole))

    def on_call(*parts: int) -> list[str]:
        return [p.id for p in team.holders("on-call", datetime(*parts, tzinfo=UTC))]  # type: ignore[misc, arg-type]

    assert on_call(2026, 1, 5, 7, 59) == []
    assert on_call(2026, 1, 5, 8) == ["ana"]
    assert [on_call(2026, 1, 6, hour) for hour in (6, 7, 19, 20)] == [["ana"], ["dana"], ["dana"], ["ana"]]
    assert on_call(2026, 1, 12, 8) == ["ben"]


def test_a_role_may_be_held_by_a_person_and_a_schedule_together(read: Read, whole: str) -> None:
    holders = roster(read(whole)).holders("DevOps Lead", datetime(2026, 1, 5, 12, tzinfo=UTC))
    assert [p.id for p in holders] == ["dana", "ana"]


def test_a_persons_rules_are_in_order_of_time_and_the_id_is_the_name_when_none_is_given(read: Read, whole: str) -> None:
    team = roster(read(whole))
    ana, ben = team.people["ana"], team.people["ben"]
    assert [(r.after, r.via) for r in ana.notify] == [(timedelta(0), "push"), (timedelta(minutes=2), "email")]
    assert (ana.email, ben.name, ben.email) == ("ana@example.com", "ben", None)


def test_the_star_names_the_runbooks_roles(read: Read) -> None:
    book = Runbook("", "", "", escalation=(Rung("SEV1", timedelta(0), "CTO", 1), Rung("SEV1", None, "Lead", 2)))
    team = roster(read("[people.ana]\n[roles]\ncto = 'ana'\n'*' = 'ana'\n"), runbook=book)
    assert team.role_names == ("cto", "Lead")


def test_a_schedule_can_be_a_calendar_feed(read: Read) -> None:
    given = read(WITH_FEED)
    team = roster(given, feeds={"feed": FEED})
    assert [p.id for p in team.holders("CTO", datetime(2026, 1, 5, 12, tzinfo=UTC))] == ["ana"]
    (note,) = calendar_notes(given, {"feed": FEED})
    assert note.startswith('tocsin.toml:4: [schedules.feed] calendar event "Team lunch" is left out: ')


@pytest.mark.parametrize(("feeds", "reason"), [({}, "was not read"), ({"feed": "<html>"}, "not an iCalendar feed")])
def test_a_feed_that_is_missing_or_unreadable_is_named(read: Read, feeds: dict[str, str], reason: str) -> None:
    with pytest.raises(SettingsError, match=rf"tocsin.toml:5: \[schedules.feed\] ical: .*{reason}"):
        roster(read(WITH_FEED), feeds=feeds)


def test_the_rules_are_the_settings(read: Read, whole: str) -> None:
    given = rules(read(whole))
    assert (given.immediate, given.after_acknowledge) == (timedelta(minutes=3), AfterAcknowledge.PAGE)
    assert (given.first_role, given.publish_automatically) == ("DevOps Lead", False)
    assert given.severity_labels == {"critical": "SEV1", "default": "SEV3"}
