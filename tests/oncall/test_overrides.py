from datetime import UTC, date, datetime, timedelta

from tocsin.oncall.overrides import Overridden, Override, Together
from tocsin.oncall.roster import Always, Person, Roster, next_handoff
from tocsin.oncall.rotation import rotation

SECOND = timedelta(seconds=1)
DAILY = rotation(["ana", "ben"], timezone="UTC", every="daily", handoff="09:00", starts=date(2026, 1, 5))
NOON, EVENING = datetime(2026, 1, 5, 12, tzinfo=UTC), datetime(2026, 1, 5, 18, tzinfo=UTC)


def test_an_override_counts_from_its_beginning_and_no_longer_at_its_end() -> None:
    schedule = Overridden(DAILY, (Override(NOON, EVENING, "cyril"),))
    seen = [schedule.at(at) for at in (NOON - SECOND, NOON, EVENING - SECOND, EVENING)]
    assert seen == [("ana",), ("cyril",), ("cyril",), ("ana",)]


def test_of_two_overlapping_overrides_the_one_written_last_wins() -> None:
    schedule = Overridden(DAILY, (Override(NOON, EVENING, "cyril"), Override(NOON, EVENING, "dana")))
    assert schedule.at(NOON) == ("dana",)


def test_the_next_handoff_is_the_nearest_of_override_and_rotation() -> None:
    schedule = Overridden(DAILY, (Override(NOON, EVENING, "cyril"),))
    assert schedule.next_handoff(NOON - SECOND) == NOON
    assert schedule.next_handoff(NOON) == EVENING
    assert schedule.next_handoff(EVENING) == datetime(2026, 1, 6, 9, tzinfo=UTC)


def test_people_who_always_hold_a_role_never_hand_off() -> None:
    assert next_handoff(Always(("dana",)), NOON) is None


def test_schedules_taken_together_name_each_person_once() -> None:
    both = Together((DAILY, Always(("dana", "ana"))))
    assert both.at(NOON) == ("ana", "dana")
    assert both.next_handoff(NOON) == datetime(2026, 1, 6, 9, tzinfo=UTC)


def test_the_star_holds_every_role_that_is_not_named() -> None:
    people = {id_: Person(id_, id_.title()) for id_ in ("ana", "dana")}
    roster = Roster(people, {"CTO": Always(("dana",)), "*": Always(("ana",))})
    assert [p.id for p in roster.holders("cto", NOON)] == ["dana"]
    assert [p.id for p in roster.holders("On-call", NOON)] == ["ana"]
    assert roster.role_names == ("CTO",)


def test_a_role_nobody_holds_has_no_holders() -> None:
    assert Roster({}, {}).holders("CTO", NOON) == ()
