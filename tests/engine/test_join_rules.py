"""`[[join]]`: alerts of another service become a part of the incident that began just before, as a rule says."""

from __future__ import annotations

from datetime import timedelta

from engines import ANA, Plant, World, alert, e
from msgspec.structs import replace

from tocsin.engine.desk import Desk
from tocsin.engine.triage import Join, Triage
from tocsin.incident.alert import Alert
from tocsin.incident.matchers import parse_all

RULE = Join(1, parse_all(['namespace=~".+"']), ("namespace",), timedelta(minutes=10))


def desk(plant: Plant) -> Desk:
    return Desk(plant.core, plant.runner, Triage(joins=(RULE,)))


def of(world: World, service: str, namespace: str = "shop", pod: str = "") -> Alert:
    told = alert(service=service, pod=pod)
    labels = {**told.labels, "namespace": namespace}
    return replace(told, labels=labels, starts_at=world.clock.now(), fingerprint=f"{service}/{namespace}/{pod}")


async def outcomes(desk: Desk, *alerts: Alert) -> list[tuple[str, int | None]]:
    return [(r.outcome, r.incident) for a in alerts for r in await desk.receive([a])]


async def test_what_has_the_label_in_common_joins_and_the_timeline_says_why(plant: Plant, world: World) -> None:
    opened = await outcomes(desk(plant), of(world, "checkout"))
    world.clock.move(seconds=40)
    joined = await outcomes(desk(plant), of(world, "cart"), of(world, "cart", pod="b"))
    assert opened + joined == [("opened", 1), ("attached", 1), ("attached", 1)]
    assert [x.why for x in await plant.events(e.Joined)] == [
        "same namespace shop, began 40 s apart ([[join]] entry 1)"
    ]  # fmt: skip
    assert await plant.refolded() == await plant.desk.incident("1")


async def test_another_value_no_value_and_too_late_open_an_incident_of_their_own(plant: Plant, world: World) -> None:
    told = await outcomes(desk(plant), of(world, "checkout"), of(world, "cart", "other"), alert(service="bare"))
    world.clock.move(minutes=10, seconds=1)
    assert [*told, *await outcomes(desk(plant), of(world, "search"))] == [("opened", n) for n in (1, 2, 3, 4)]


async def test_up_to_the_last_second_of_the_window_it_joins(plant: Plant, world: World) -> None:
    await outcomes(desk(plant), of(world, "checkout"))
    world.clock.move(minutes=10)
    assert await outcomes(desk(plant), of(world, "search")) == [("attached", 1)]


async def test_nothing_joins_what_is_over(plant: Plant, world: World) -> None:
    await outcomes(desk(plant), of(world, "checkout"), of(world, "cart"))
    await plant.desk.resolve("1", ANA, reason="it is over")
    assert await outcomes(desk(plant), of(world, "cart", pod="b")) == [("opened", 2)]


async def test_in_one_body_all_of_a_namespace_is_one_incident(plant: Plant, world: World) -> None:
    receipts = await desk(plant).receive([of(world, f"service-{n}") for n in range(20)])
    assert {r.incident for r in receipts} == {1}
    assert len((await plant.desk.incident("1")).services) == 19
