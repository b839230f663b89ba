"""One group told by webhook and by PagerDuty or Opsgenie is one incident; so is one trouble that several report."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from engines import ANA, World, paged

from tocsin.engine.desk import Desk
from tocsin.incident.alert import Alert, AlertStatus, fingerprint, named_by
from tocsin.signals.report import from_report

GROUP = '{}:{alertname="HighErrorRate"}'
KEY = hashlib.sha256(GROUP.encode()).hexdigest()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    found = World(tmp_path / "tocsin.db")
    yield found
    await found.end()


def member(world: World, service: str, *, path: str = "/", status: str = "firing") -> Alert:
    """An alert of the group, as the webhook tells it."""
    labels = {"alertname": "HighErrorRate", "service": service, "path": path, "severity": "critical"}
    now, over = world.clock.now(), status == "resolved"
    return Alert(
        fingerprint(labels), AlertStatus(status), labels, {"summary": f"5xx on {service}"}, now, now if over else None,
        "alertmanager", group=GROUP,
    )  # fmt: skip


def whole(world: World, *, key: str = KEY, **labels: str) -> Alert:
    """The group as a whole, as PagerDuty's or Opsgenie's sender tells it."""
    named = {"alertname": "HighErrorRate", "severity": "critical"} | labels
    told = {"summary": "[FIRING:2] HighErrorRate"}
    now = world.clock.now()
    return Alert(named_by(key), AlertStatus.FIRING, named, told, now, None, "pagerduty", group=key)


async def outcomes(desk: Desk, *alerts: Alert) -> list[tuple[str, int | None]]:
    return [(r.outcome, r.incident) for a in alerts for r in await desk.receive([a])]


async def test_the_whole_group_joins_the_incident_of_its_alerts_though_it_names_no_service(world: World) -> None:
    plant = world.start()
    told = await outcomes(plant.desk, member(world, "cart"), whole(world))
    assert told == [("opened", 1), ("attached", 1)]
    await plant.turn()
    assert paged(world.hook) == ["ana"]


async def test_the_alerts_join_the_incident_of_the_whole_group_when_that_came_first(world: World) -> None:
    plant = world.start()
    told = await outcomes(plant.desk, whole(world), member(world, "cart"), member(world, "cart", path="/pay"))
    assert told == [("opened", 1), ("attached", 1), ("attached", 1)]
    await plant.turn()
    assert paged(world.hook) == ["ana"]


async def test_a_group_about_two_services_is_two_incidents_whichever_is_told_first(world: World) -> None:
    desk = world.start().desk
    first = await outcomes(desk, whole(world, service="cart"), member(world, "cart"), member(world, "search"))
    assert first == [("opened", 1), ("attached", 1), ("opened", 2)]


async def test_the_same_holds_the_other_way_round(world: World) -> None:
    desk = world.start().desk
    told = await outcomes(desk, member(world, "cart"), member(world, "search"), whole(world, service="cart"))
    assert told == [("opened", 1), ("opened", 2), ("attached", 1)]


async def test_another_group_joins_nothing(world: World) -> None:
    desk = world.start().desk
    told = await outcomes(desk, member(world, "cart"), whole(world, key="f" * 64), whole(world, key="a key of its own"))
    assert told == [("opened", 1), ("opened", 2), ("attached", 2)]


async def test_what_is_over_is_joined_by_nothing(world: World) -> None:
    desk = world.start().desk
    await desk.receive([member(world, "cart")])
    await desk.resolve("1", ANA, reason="known and harmless")
    assert await outcomes(desk, whole(world)) == [("opened", 2)]


async def test_the_group_is_found_again_after_a_restart(world: World) -> None:
    await world.start().desk.receive([member(world, "cart")])
    plant = await world.restart()
    assert await outcomes(plant.desk, whole(world)) == [("attached", 1)]


# people


def report(world: World, title: str, reporter: str = "", service: str = "") -> Alert:
    return from_report(title, description="", reporter=reporter, at=world.clock.now(), service=service)


async def test_several_people_who_report_one_thing_are_one_incident_with_so_many_reporters(world: World) -> None:
    plant = world.start()
    for title, who in (("Login fails", "Ana"), ("login is failing", "Ben"), ("Login fails", ""), ("Login fails", "")):
        await plant.desk.receive([report(world, title, who)])
    incident = await plant.desk.incident("1")
    assert (len(incident.reporters), await plant.desk.incidents()) == (4, [incident])
    assert await plant.refolded() == incident
    await plant.turn()
    assert paged(world.hook) == ["ana"]


async def test_one_person_counts_once(world: World) -> None:
    desk = world.start().desk
    for title in ("Login fails", "Login fails", "I cannot login"):
        await desk.receive([report(world, title, "Ana")])
    assert (await desk.incident("1")).reporters == ("Ana",)


async def test_another_thing_is_another_incident(world: World) -> None:
    desk = world.start().desk
    told = await outcomes(desk, report(world, "Login fails"), report(world, "Invoices are empty"))
    assert told == [("opened", 1), ("opened", 2)]


@pytest.mark.parametrize(("later", "incident"), [(timedelta(minutes=30), 1), (timedelta(minutes=30, seconds=1), 2)])
async def test_a_like_report_counts_for_so_long_after_the_last(world: World, later: timedelta, incident: int) -> None:
    desk = world.start().desk
    await desk.receive([report(world, "Login fails")])
    world.clock.move(seconds=later.total_seconds())
    assert (await outcomes(desk, report(world, "Login is failing")))[0][1] == incident


async def test_a_report_of_a_service_goes_to_its_incident_in_whatever_words(world: World) -> None:
    desk = world.start().desk
    told = await outcomes(desk, member(world, "cart"), report(world, "I cannot pay", "Ben", service="cart"))
    assert told == [("opened", 1), ("attached", 1)]
    assert (await desk.incident("1")).reporters == ("Ben",)
