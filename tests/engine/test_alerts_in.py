"""Alerts become incidents once, however often and in whatever order they are told."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from engines import ANA, Plant, World, alert, e, paged, sent

from tocsin.incident.alert import AlertStatus
from tocsin.signals import alertmanager
from tocsin.signals.report import from_report

RECORDED = Path(__file__).parents[1] / "fixtures/alertmanager/am-webhook-firing-group2.json"


async def test_a_recorded_webhook_body_opens_incident_1_and_does_its_first_moves(world: World, plant: Plant) -> None:
    body = json.loads(RECORDED.read_text())["raw"].encode()
    receipts = await plant.desk.receive(alertmanager.decode(body))
    await plant.turn()
    assert [(r.outcome, r.incident) for r in receipts] == [("opened", 1), ("attached", 1)]
    assert paged(world.mail) == paged(world.hook) == ["ana"]
    assert [m.subject.split(":")[0] for m in sent(world.mail, "post")] == ["Initial Alert"]
    run = (await plant.desk.incident("1")).runs[0]
    assert (run.purpose, run.status, len(run.steps)) == ("assessment", "done", 6)
    assert len(await plant.desk.evidence_of("1")) == 5


async def test_evidence_keeps_the_command_and_what_it_gave(world: World, plant: Plant) -> None:
    await plant.desk.receive([alert()])
    await plant.turn()
    step = (await plant.desk.incident("1")).runs[0].steps[1]
    assert step.evidence is not None
    kept = await plant.desk.evidence(step.evidence)
    assert (kept.title, kept.outcome) == (step.title, "ok")
    assert kept.stdout == f"ran {kept.command}\n"


async def test_a_resent_body_is_one_alert_and_one_page(world: World, plant: Plant) -> None:
    for _ in range(20):
        await plant.desk.receive([alert()])
        await plant.turn()
    assert paged(world.mail) == ["ana"]
    assert len(await plant.events(e.AlertFired)) == 1
    assert [i.number for i in await plant.desk.incidents()] == [1]


async def test_two_peers_in_the_same_instant_open_one_incident(world: World, plant: Plant) -> None:
    peers = [plant.desk.receive([alert(), alert(pod="b")]) for _ in range(8)]
    receipts = [r for told in await asyncio.gather(*peers) for r in told]
    await plant.turn()
    assert sorted({r.outcome for r in receipts}) == ["attached", "opened", "repeated"]
    assert [r.outcome for r in receipts].count("opened") == 1
    assert (await plant.desk.incident("1")).alerts_total == 2
    assert paged(world.mail) == ["ana"]


async def test_resolved_before_firing_makes_no_ghost(world: World, plant: Plant) -> None:
    first = await plant.desk.receive([alert("resolved", ended=2)])
    late = await plant.desk.receive([alert("firing")])
    await plant.turn()
    assert [first[0].outcome, late[0].outcome] == ["recorded", "stale"]
    assert await plant.desk.incidents() == []
    assert world.mail.messages == []


async def test_resolved_without_an_end_before_its_firing_makes_no_ghost(plant: Plant) -> None:
    await plant.desk.receive([alert("resolved")])
    assert (await plant.desk.receive([alert("firing")]))[0].outcome == "stale"
    assert (await plant.desk.receive([alert("firing", started=1)]))[0].outcome == "opened"


async def test_an_alert_that_fires_again_at_the_instant_it_ended_is_new(plant: Plant) -> None:
    await plant.desk.receive([alert()])
    await plant.desk.receive([alert("resolved", ended=5)])
    assert (await plant.desk.receive([alert(started=4.99)]))[0].outcome == "stale"
    assert (await plant.desk.receive([alert(started=5)]))[0].outcome == "attached"
    assert (await plant.desk.incident("1")).alerts_firing == 1


async def test_a_partial_resolve_keeps_it_open(plant: Plant) -> None:
    await plant.desk.receive([alert(), alert(pod="b"), alert(pod="c")])
    told = await plant.desk.receive([alert("resolved", pod="b", ended=2), alert(summary="Other words")])
    incident = await plant.desk.incident("1")
    assert [r.outcome for r in told] == ["resolved", "repeated"]
    assert (incident.alerts_firing, incident.status.value, incident.verification) == (2, "open", None)
    assert len(await plant.desk.incidents()) == 1


async def test_the_last_alert_that_stops_begins_the_verification_and_resolves_nothing(plant: Plant) -> None:
    await plant.desk.receive([alert(), alert(pod="b")])
    await plant.desk.acknowledge("1", ANA, via="web")
    await plant.desk.receive([alert("resolved", ended=2), alert("resolved", pod="b", ended=2)])
    incident = await plant.desk.incident("1")
    assert incident.verification is not None
    assert (incident.status.value, incident.resolved_at) == ("monitoring", None)


async def test_a_resolve_of_an_earlier_firing_is_stale(plant: Plant) -> None:
    await plant.desk.receive([alert(started=10)])
    told = await plant.desk.receive([alert("resolved", started=0, ended=5)])
    assert told[0].outcome == "stale"
    assert (await plant.desk.incident("1")).alerts_firing == 1


async def test_other_labels_are_another_alert_of_the_same_incident(world: World, plant: Plant) -> None:
    await plant.desk.receive([alert()])
    told = await plant.desk.receive([alert(name="Backend latency"), alert(name="Backend latency", pod="b")])
    await plant.turn()
    assert [(r.outcome, r.incident) for r in told] == [("attached", 1)] * 2
    assert paged(world.mail) == ["ana"]


async def test_services_open_incidents_of_their_own_in_one_body(plant: Plant) -> None:
    told = await plant.desk.receive([alert(service=f"s{n}") for n in range(5)])
    assert [r.incident for r in told] == [1, 2, 3, 4, 5]


async def test_bodies_that_arrive_together_number_their_incidents_without_a_gap(plant: Plant) -> None:
    bodies = [plant.desk.receive([alert(service=f"s{n}"), alert(service=f"t{n}")]) for n in range(20)]
    told = [r for receipts in await asyncio.gather(*bodies) for r in receipts]
    assert sorted(r.incident or 0 for r in told) == list(range(1, 41))


async def test_after_the_end_a_new_firing_opens_a_new_incident(world: World, plant: Plant) -> None:
    await plant.desk.receive([alert()])
    await plant.desk.receive([alert("resolved", ended=2)])
    await plant.desk.resolve("1", ANA, reason="rolled back by hand")
    told = await plant.desk.receive([alert(started=3)])
    await plant.turn()
    assert [(r.outcome, r.incident) for r in told] == [("opened", 2)]
    assert paged(world.mail)[-1] == "ana"


async def test_a_resend_of_an_alert_whose_incident_a_person_ended_opens_nothing(plant: Plant) -> None:
    await plant.desk.receive([alert()])
    await plant.desk.resolve("1", ANA, reason="known and harmless")
    assert (await plant.desk.receive([alert()]))[0].outcome == "repeated"
    assert (await plant.desk.receive([alert(started=1)]))[0].outcome == "opened"


async def test_a_watchdog_is_kept_and_opens_nothing(world: World, plant: Plant) -> None:
    told = await plant.desk.receive([alert(name="Watchdog", severity="none")])
    await plant.turn()
    assert (told[0].outcome, told[0].incident) == ("recorded", None)
    assert await plant.desk.incidents() == []
    assert [r.alert.name for r in await plant.desk.alerts(status=AlertStatus.FIRING)] == ["Watchdog"]


async def test_alerts_are_listed_by_incident_and_by_text(plant: Plant) -> None:
    await plant.desk.receive([alert(), alert(service="search", summary="Search is slow")])
    assert [r.alert.labels["service"] for r in await plant.desk.alerts(ref="2")] == ["search"]
    assert len(await plant.desk.alerts(text="SLOW")) == 1
    assert len(await plant.desk.alerts(skip=1)) == 1


async def test_reports_that_name_no_service_are_incidents_of_their_own(plant: Plant) -> None:
    for title in ("The search is empty", "Nobody can pay", "Nobody can pay"):
        said = from_report(title, description="", reporter="A customer", at=plant.desk.now(), service="")
        await plant.desk.receive([said])
    assert [(i.title, i.service) for i in await plant.desk.incidents()] == [
        ("Nobody can pay", ""),
        ("The search is empty", ""),
    ]


async def test_a_report_beside_real_alerts_does_not_keep_the_verification_from_beginning(plant: Plant) -> None:
    await plant.desk.receive([alert()])
    said = from_report("Nobody can pay", description="", reporter="Kim", at=plant.desk.now(), service="backend")
    assert (await plant.desk.receive([said]))[0].incident == 1
    await plant.desk.acknowledge("1", ANA, via="test")
    assert (await plant.desk.incident("1")).alerts_firing == 1
    await plant.desk.receive([alert(status=AlertStatus.RESOLVED)])
    assert (await plant.desk.incident("1")).verification is not None
    assert [x.reporter for x in await plant.events(e.Reported)] == ["Kim"]
