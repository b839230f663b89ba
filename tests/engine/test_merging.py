"""Two incidents that are one trouble, and one that is two: what becomes of alerts, pages, owners and promises."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from engines import ANA, BEN, Plant, World, alert, e, paged, parts
from msgspec.structs import replace

from tocsin.engine.errors import NotFound
from tocsin.incident.alert import Alert
from tocsin.incident.errors import CommandError, TransitionError
from tocsin.incident.state import Incident, Status
from tocsin.review.metrics import metrics


async def two(plant: Plant) -> None:
    """#1 of the backend with one alert, #2 of the cart with two; both SEV1, their people paged."""
    await plant.desk.receive([alert(), alert(service="cart", pod="a"), alert(service="cart", pod="b")])
    await plant.turn()


async def again(plant: Plant, told: Alert) -> tuple[str, int | None]:
    (receipt,) = await plant.desk.receive([told])
    return receipt.outcome, receipt.incident


async def merged(plant: Plant, one: str = "2", into: str = "1") -> Incident:
    return await plant.desk.merging.merge(one, ANA, into=into, reason="the same database")


async def folds(plant: Plant, *refs: str) -> bool:
    return all([await plant.refolded(ref) == await plant.desk.incident(ref) for ref in refs])


async def test_the_alerts_go_along_and_whoever_repeats_or_resolves_one_finds_it(plant: Plant) -> None:
    await two(plant)
    one = await merged(plant)
    assert (one.alerts_total, one.alerts_firing, one.services) == (3, 3, ("cart",))
    assert await again(plant, alert(service="cart", pod="a")) == ("repeated", 1)
    assert await again(plant, alert("resolved", service="cart", pod="a", ended=1)) == ("resolved", 1)
    assert await again(plant, alert(service="cart", pod="a", started=2)) == ("attached", 1)
    assert [r.alert.fingerprint for r in await plant.desk.alerts(ref="2")] == []
    assert await folds(plant, "1", "2")


async def test_a_new_alert_of_the_service_that_was_merged_joins_what_goes_on(plant: Plant) -> None:
    await two(plant)
    await merged(plant)
    assert await again(plant, alert(service="cart", pod="c")) == ("attached", 1)
    await plant.desk.resolve("1", ANA, reason="it is over")
    assert await again(plant, alert(service="cart", pod="d", started=1)) == ("opened", 3)


async def test_who_owned_one_owns_both_and_nobody_is_paged_any_more(plant: Plant, world: World) -> None:
    await two(plant)
    await plant.desk.acknowledge("2", BEN, via="web")
    one = await merged(plant)
    assert (one.status, one.acknowledged_by, one.commander) == (Status.ACKNOWLEDGED, "Ben", "Ben")
    before = len(paged(world.hook))
    world.clock.move(hours=3)
    await plant.turn()
    assert len(paged(world.hook)) == before


async def test_what_nobody_owned_pages_on_by_the_earlier_clock_and_no_rung_twice(plant: Plant, world: World) -> None:
    await plant.desk.receive([alert(service="cart")])
    await plant.turn()
    world.clock.move(minutes=31)
    await plant.turn()
    await plant.desk.receive([alert(started=31)])
    await plant.turn()
    assert sorted(paged(world.hook)) == ["ana", "ana", "ana", "dana"]
    await merged(plant, "1", "2")
    await plant.turn()
    assert sorted(paged(world.hook)) == ["ana", "ana", "ana", "dana"]
    world.clock.move(minutes=29)
    await plant.turn()
    assert paged(world.hook)[4:] == ["emil"]


async def test_a_page_that_had_not_arrived_is_paged_anew_by_the_ladder(plant: Plant, world: World) -> None:
    await plant.desk.receive([alert(service="cart")])
    await plant.turn()
    world.clock.move(minutes=31)
    await plant.engine.tick()  # decided, and not handed over yet
    await plant.desk.receive([alert(started=31)])
    await merged(plant, "1", "2")
    await plant.turn()
    assert paged(world.hook).count("dana") == 1


async def test_the_severer_level_counts_and_what_was_promised_and_known_goes_along(plant: Plant) -> None:
    await plant.desk.receive([alert(severity="warning"), alert(service="cart")])
    await plant.desk.add_action_item(
        "2", ANA, title="canary", owner="ana", due_at=plant.clock.now() + timedelta(days=1)
    )
    await plant.desk.record_facts("2", ANA, {"impact": "no orders"})
    one = await merged(plant)
    assert one.severity == "SEV1"
    assert [a.title for a in one.action_items] == ["canary"]
    assert one.facts == {"impact": "no orders"}
    assert [d.kind for d in plant.desk.deadlines(await plant.desk.incident("2"))] == []


async def test_proposals_end_and_a_mitigation_that_runs_keeps_it_from_being_merged(plant: Plant) -> None:
    await two(plant)
    asked, approval = await plant.desk.propose("2", ANA, slug="rollback")
    await merged(plant)
    other = await plant.desk.incident("2")
    assert [a.status for a in other.approvals] == ["rejected"]
    with pytest.raises(TransitionError):
        await plant.desk.approve("2", BEN, approval=approval)
    assert asked.number == 2


async def test_while_a_mitigation_runs_it_cannot_be_merged(plant: Plant, world: World) -> None:
    await two(plant)
    world.runner.held.clear()
    _, approval = await plant.desk.propose("2", ANA, slug="rollback")
    await plant.desk.approve("2", BEN, approval=approval)
    await plant.engine.step()
    await asyncio.sleep(0.05)
    if (await plant.desk.incident("2")).approvals[0].status == "running":
        with pytest.raises(TransitionError, match="see to its end there"):
            await merged(plant)
    world.runner.held.set()
    await plant.turn()
    assert (await merged(plant)).absorbed[0].number == 2


async def test_circles_and_itself_and_what_is_over_are_refused_and_nothing_changes(plant: Plant) -> None:
    await two(plant)
    with pytest.raises(CommandError, match="into itself"):
        await merged(plant, "1", "1")
    with pytest.raises(NotFound):
        await merged(plant, "1", "9")
    await merged(plant)
    with pytest.raises(TransitionError, match="round in a circle"):
        await merged(plant, "1", "2")
    await plant.desk.receive([alert(service="search")])
    with pytest.raises(TransitionError, match="merged into #1: name that one"):
        await merged(plant, "3", "2")
    await plant.desk.resolve("1", ANA, reason="it is over")
    with pytest.raises(TransitionError, match="reopen it before"):
        await merged(plant, "3", "1")
    assert await folds(plant, "1", "2", "3")


async def test_merged_twice_or_by_two_people_at_once_it_is_merged_once(plant: Plant) -> None:
    await two(plant)
    merging = plant.desk.merging
    await asyncio.gather(merging.merge("2", ANA, into="1"), merging.merge("2", BEN, into="1"))
    assert len(await plant.events(e.Absorbed, "1")) == 1
    assert (await plant.desk.incident("1")).alerts_total == 3


async def test_merged_crosswise_at_once_one_of_the_two_is_refused(plant: Plant) -> None:
    await two(plant)
    merging = plant.desk.merging
    done = await asyncio.gather(
        merging.merge("2", ANA, into="1"), merging.merge("1", BEN, into="2"), return_exceptions=True
    )
    assert sorted(type(d).__name__ for d in done) == ["Incident", "TransitionError"]


async def test_the_merged_one_refuses_commands_and_says_where_it_went_on(plant: Plant) -> None:
    await two(plant)
    await merged(plant)
    for refused in (
        plant.desk.acknowledge("2", BEN, via="web"),
        plant.desk.reopen("2", BEN, reason="no"),
        plant.desk.escalate("2", BEN),
        plant.desk.resolve("2", BEN),
        plant.desk.add_action_item("2", BEN, title="x", owner="ana", due_at=plant.clock.now()),
    ):
        with pytest.raises(TransitionError, match="merged into #1"):
            await refused


async def test_the_link_in_a_page_of_the_merged_one_acknowledges_what_goes_on(plant: Plant, world: World) -> None:
    await two(plant)
    pages = [one for m in world.hook.messages if m.kind == "page" for one in parts(m)]
    links = [one.acknowledge_url for one in pages if one.incident.number == 2]
    await merged(plant)
    ticket = plant.signer.read(str(links[0]).rpartition("/")[2])
    assert ticket is not None
    one = await plant.desk.acknowledge_by_ticket(ticket)
    assert (one.number, one.acknowledged_by) == (1, "Ana")


async def test_what_is_watched_fails_when_something_that_fires_is_merged_into_it(plant: Plant) -> None:
    await two(plant)
    await plant.desk.acknowledge("1", ANA, via="web")
    await plant.desk.receive([alert("resolved", ended=1)])
    assert (await plant.desk.incident("1")).status is Status.MONITORING
    one = await merged(plant)
    assert (one.status, one.quiet_since) == (Status.MITIGATING, None)


async def test_the_public_reads_on_in_one_place(plant: Plant) -> None:
    await two(plant)
    await merged(plant)
    one, other = await plant.desk.incident("1"), await plant.desk.incident("2")
    assert [u.status for u in one.public] == ["investigating"]
    assert other.public[-1].status == "resolved"
    assert "part of another incident" in other.public[-1].text


async def test_a_chain_of_merges_ends_at_the_last(plant: Plant) -> None:
    await two(plant)
    await plant.desk.receive([alert(service="search")])
    await merged(plant, "2", "3")
    await merged(plant, "3", "1")
    assert await again(plant, alert(service="cart", pod="z")) == ("attached", 1)
    assert (await plant.desk.merging.surviving(await plant.desk.incident("2"))).number == 1


async def test_it_counts_once(plant: Plant) -> None:
    await two(plant)
    await merged(plant)
    other = await plant.desk.incident("2")
    found = metrics(other, await plant.desk.timeline("2"))
    assert {m.invalid for m in found} == {"merged into #1, where it counts"}
    assert (other.alerts_total, other.alerts_firing) == (0, 0)


# splitting


async def whole(plant: Plant) -> list[str]:
    """#1 with three alerts; their fingerprints."""
    alerts = [alert(pod=p, summary=f"pod {p} fails") for p in ("a", "b", "c")]
    await plant.desk.receive(alerts)
    await plant.turn()
    return [a.fingerprint for a in alerts]


async def test_a_part_of_what_somebody_owns_is_theirs_and_pages_nobody(plant: Plant, world: World) -> None:
    a, b, _ = await whole(plant)
    await plant.desk.acknowledge("1", ANA, via="web")
    before = len(paged(world.hook))
    part = await plant.desk.merging.split("1", BEN, alerts=[a, b], reason="another cause")
    assert (part.number, part.title, part.status, part.acknowledged_by) == (
        2,
        "pod a fails",
        Status.ACKNOWLEDGED,
        "Ana",
    )
    world.clock.move(minutes=16)
    await plant.turn()
    assert len(paged(world.hook)) == before
    left = await plant.desk.incident("1")
    assert ((left.alerts_total, left.alerts_firing), (part.alerts_total, part.alerts_firing)) == ((1, 1), (2, 2))
    assert await folds(plant, "1", "2")


async def test_a_part_of_what_nobody_owns_pages_as_every_incident_does(plant: Plant, world: World) -> None:
    a, _, _ = await whole(plant)
    part = await plant.desk.merging.split("1", BEN, alerts=[a], title="one pod")
    await plant.turn()
    assert (part.title, part.status) == ("one pod", Status.OPEN)
    assert len(paged(world.hook)) == 2


async def test_what_was_split_off_stays_apart_and_the_rest_and_new_ones_go_to_the_whole(plant: Plant) -> None:
    a, _, _ = await whole(plant)
    await plant.desk.merging.split("1", ANA, alerts=[a])
    assert await again(plant, alert("resolved", pod="a", ended=1)) == ("resolved", 2)
    assert await again(plant, alert(pod="a", started=2)) == ("attached", 2)
    assert await again(plant, alert("resolved", pod="b", ended=1)) == ("resolved", 1)
    assert await again(plant, alert(pod="b", started=2)) == ("attached", 1)
    assert await again(plant, alert(pod="new")) == ("attached", 1)


async def test_all_of_them_none_of_them_and_those_of_others_are_refused(plant: Plant) -> None:
    fingerprints = await whole(plant)
    split = plant.desk.merging.split
    for chosen, why in ((fingerprints, "nothing would be left"), ([], "choose 1 to"), (["x"], "has no alert 'x'")):
        with pytest.raises(CommandError, match=why):
            await split("1", ANA, alerts=chosen)
    await plant.desk.resolve("1", ANA, reason="it is over")
    with pytest.raises(TransitionError):
        await split("1", ANA, alerts=fingerprints[:1])


async def test_the_same_part_split_off_twice_at_once_is_one_incident(plant: Plant) -> None:
    a, _, _ = await whole(plant)
    split = plant.desk.merging.split
    done = await asyncio.gather(split("1", ANA, alerts=[a]), split("1", BEN, alerts=[a]), return_exceptions=True)
    assert sorted(type(d).__name__ for d in done) == ["CommandError", "Incident"]


async def test_a_part_can_be_merged_back(plant: Plant) -> None:
    a, _, _ = await whole(plant)
    await plant.desk.merging.split("1", ANA, alerts=[a])
    one = await merged(plant)
    assert (one.alerts_total, one.alerts_firing) == (3, 3)
    assert await again(plant, alert(pod="a")) == ("repeated", 1)
    assert await folds(plant, "1", "2")


# related


async def test_what_began_together_in_one_place_is_suggested_until_a_person_says_no(plant: Plant, world: World) -> None:
    cart = alert(service="cart")
    await plant.desk.receive([replace(alert(), labels={**alert().labels, "namespace": "shop"})])
    world.clock.move(seconds=40)
    await plant.desk.receive([replace(cart, labels={**cart.labels, "namespace": "shop"}, starts_at=world.clock.now())])
    merging = plant.desk.merging
    (found,) = await merging.related(await plant.desk.incident("1"))
    assert found.incident.number == 2
    assert found.why.endswith("same namespace shop, told in like words, began 40 s apart")
    for _ in range(2):
        await merging.unrelated("2", BEN, other="1", reason="two causes")
    assert await merging.related(await plant.desk.incident("1")) == ()
    assert len(await plant.events(e.RelationDenied, "2")) == 1


# quiet


async def test_when_all_signals_ended_it_is_proposed_once_whatever_restarts(world: World) -> None:
    plant = world.start()
    await plant.desk.receive([alert()])
    await plant.desk.acknowledge("1", ANA, via="web")
    await plant.desk.receive([alert("resolved", ended=1)])
    await plant.turn()
    await plant.looked_at_all()
    world.clock.move(minutes=16)
    await plant.turn()
    plant = await world.restart(reopen=False)
    await plant.turn()
    assert len(await plant.events(e.ResolveProposed)) == 1
    assert [t for t in world.hook.texts("post") if t.startswith("All signals of")] != []
