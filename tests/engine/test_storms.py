"""Alerts that flap and alerts by the thousand: everything is kept, few people are woken."""

from __future__ import annotations

import asyncio

from engines import ANA, Plant, World, alert, e, paged, parts, sent


async def flap(world: World, plant: Plant, times: int, *, start: int = 0, minutes: float = 1) -> None:
    """The alert begins and stops, `minutes` apart."""
    for n in range(start, start + times):
        await plant.desk.receive([alert(started=n * minutes)])
        world.clock.move(minutes=minutes / 2)
        await plant.desk.receive([alert("resolved", started=n * minutes, ended=(n + 0.5) * minutes)])
        world.clock.move(minutes=minutes / 2)


async def noted(plant: Plant) -> list[str]:
    return [event.text for event in await plant.events(e.Noted)]


async def test_an_alert_that_begins_five_times_within_an_hour_is_marked_flapping_once(
    world: World, plant: Plant
) -> None:
    await flap(world, plant, 4)
    assert await noted(plant) == []
    await flap(world, plant, 46, start=4)
    (said,) = await noted(plant)
    assert "is flapping" in said
    assert len(await plant.events(e.AlertFired)) == 50


async def test_fifty_flaps_an_hour_wake_nobody_more_than_once_a_rung(world: World, plant: Plant) -> None:
    await plant.desk.receive([alert()])
    await plant.turn()
    await plant.desk.acknowledge("1", ANA, via="web")
    await flap(world, plant, 50, start=1)
    await plant.turn()
    assert paged(world.mail) == ["ana"]
    assert len(await plant.events(e.VerificationStarted)) < 5
    assert len(sent(world.mail, "post")) < 10


async def test_the_pauses_of_a_flapping_alert_begin_no_verification_and_its_end_does(
    world: World, plant: Plant
) -> None:
    await flap(world, plant, 10)
    before = len(await plant.events(e.VerificationStarted))
    await flap(world, plant, 5, start=10)
    assert len(await plant.events(e.VerificationStarted)) == before
    world.clock.move(minutes=15)
    await flap(world, plant, 1, start=60)
    assert len(await plant.events(e.VerificationStarted)) == before + 1


async def test_after_a_quiet_gap_it_pages_again(world: World, plant: Plant) -> None:
    await flap(world, plant, 10)
    await plant.desk.resolve("1", ANA, reason="mended by hand")
    world.clock.move(minutes=15)
    told = await plant.desk.receive([alert(started=60)])
    await plant.turn()
    assert [(r.outcome, r.incident) for r in told] == [("opened", 2)]
    assert paged(world.mail)[-1] == "ana"


async def test_an_alert_that_begins_rarely_never_flaps(world: World, plant: Plant) -> None:
    await flap(world, plant, 20, minutes=15)
    assert await noted(plant) == []


async def test_a_resolve_told_twice_leaves_the_alert_with_its_incident(plant: Plant) -> None:
    await plant.desk.receive([alert()])
    await plant.desk.receive([alert("resolved", started=1, ended=1)])
    (again,) = await plant.desk.receive([alert("resolved", started=2, ended=2)])
    assert again.outcome == "recorded"
    assert [r.alert.status for r in await plant.desk.alerts(ref="1")] == ["resolved"]


async def test_of_thousands_in_a_minute_all_are_kept_and_each_service_pages_once_and_first(
    world: World, plant: Plant
) -> None:
    services = ["checkout", "search", "login"]
    bodies = [[alert(service=s, pod=f"{n}-{m}") for m in range(50)] for n in range(10) for s in services]
    told = [r for receipts in await asyncio.gather(*(plant.desk.receive(b) for b in bodies)) for r in receipts]
    await plant.turn()
    assert len(told) == len({r.fingerprint for r in told}) == 1500
    assert [(await plant.desk.incident(str(n))).alerts_total for n in (1, 2, 3)] == [500, 500, 500]
    assert sorted(one.incident.number for m in sent(world.mail) for one in parts(m)) == [1, 2, 3]
    assert [r.outcome for r in told].count("opened") == 3
