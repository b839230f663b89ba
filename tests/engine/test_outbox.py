"""Messages handed over: retried, told once, never after an acknowledge, and no channel stops another."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from engines import ANA, BEN, HOLDERS, PEOPLE, Plant, World, alert, e, paged, policy, sent, with_roles

from tocsin.engine.fakes import RecordingChannel
from tocsin.engine.letters import ATTEMPTS, STILL
from tocsin.engine.ports import DeliveryError, Message
from tocsin.incident.errors import CommandError, TransitionError
from tocsin.oncall.roster import ContactRule, Person, Roster


class Broken(RecordingChannel):
    """Breaks over whatever it is asked."""

    def accepts(self, message: Message) -> bool:
        raise RuntimeError("no route")


async def test_a_page_carries_a_link_a_key_and_the_incident(world: World, plant: Plant) -> None:
    await plant.desk.receive([alert()])
    await plant.turn()
    page = sent(world.mail)[0]
    assert page.to is not None
    assert (page.to.role, page.to.person.id, page.incident.number) == ("On-call", "ana", 1)
    assert page.incident.link == "https://tocsin.example.com/incidents/1"
    assert page.acknowledge_url is not None
    assert page.acknowledge_url.startswith("https://tocsin.example.com/acknowledge/")
    assert not page.possible_duplicate


async def test_a_temporary_failure_is_tried_again_later_and_told_once(world: World, plant: Plant) -> None:
    world.mail.fail = [DeliveryError("451 greylisted") for _ in range(3)]
    await plant.desk.receive([alert()])
    await plant.turn()
    assert paged(world.mail) == []
    assert paged(world.hook) == ["ana"]
    for _ in range(4):
        world.clock.move(seconds=30)
        await plant.turn()
    assert paged(world.mail) == ["ana"]
    assert [x.reason for x in await plant.events(e.MessageFailed)] == ["451 greylisted; trying again"]
    assert not sent(world.mail)[0].possible_duplicate


async def test_the_wait_between_tries_grows_and_honours_the_other_side(world: World, plant: Plant) -> None:
    world.mail.fail = [DeliveryError("slow down", retry_after=120)]
    await plant.desk.receive([alert()])
    await plant.turn()
    world.clock.move(seconds=119)
    await plant.turn()
    assert paged(world.mail) == []
    world.clock.move(seconds=1)
    await plant.turn()
    assert paged(world.mail) == ["ana"]


async def test_a_permanent_failure_is_told_once_and_not_tried_again(world: World, plant: Plant) -> None:
    world.mail.fail = [DeliveryError("550 no such mailbox", permanent=True)]
    await plant.desk.receive([alert()])
    await plant.turn()
    world.clock.move(minutes=14)
    await plant.turn()
    assert paged(world.mail) == []
    assert [(x.channel, x.to, x.reason) for x in await plant.events(e.MessageFailed)] == [
        ("email", "ana", "550 no such mailbox")
    ]
    assert (await plant.desk.incident("1")).pages[0].failed == ("email: 550 no such mailbox",)


async def test_a_page_nobody_acknowledges_is_tried_until_somebody_does_and_that_is_said(
    world: World, plant: Plant
) -> None:
    world.mail.fail = [DeliveryError("connection refused") for _ in range(100)]
    await plant.desk.declare(ANA, title="Slow", severity="SEV4")
    for _ in range(ATTEMPTS + 3):
        await plant.turn()
        world.clock.move(seconds=400)
    failed = [x for x in await plant.events(e.MessageFailed) if x.kind == "page" and x.key == "opened"]
    assert [x.reason for x in failed] == ["connection refused; trying again", f"connection refused; {STILL}"]
    assert [x.unreached for x in failed] == [False, True]
    assert {m.subject for m in sent(world.hook, "post") if "not reached" in m.subject} == {"ana is not reached: Slow"}
    assert plant.core.meters.deliveries.of("email", "unreached") > 0
    assert plant.core.meters.deliveries.of("email", "failed") == 0
    world.mail.fail = []
    await plant.turn()
    keys = [key for m in sent(world.mail) for key in (m.idempotency_key, *(one.idempotency_key for one in m.bundle))]
    assert "opened" in [key.split(":")[1] for key in keys]  # alone, or together with another that is due by now


async def test_tries_of_what_only_informs_come_to_an_end_and_it_is_said(world: World, plant: Plant) -> None:
    world.mail.fails_on = "post"
    world.mail.fail = [DeliveryError("connection refused") for _ in range(100)]
    await plant.desk.declare(ANA, title="Slow", severity="SEV4")
    await plant.desk.acknowledge("1", ANA, via="web")
    for _ in range(ATTEMPTS + 3):
        await plant.turn()
        world.clock.move(seconds=400)
    failed = [x.reason for x in await plant.events(e.MessageFailed) if x.kind == "post"]
    assert failed[-1] == "connection refused"
    assert plant.core.meters.deliveries.of("email", "unreached") == 0


async def test_a_page_tried_for_long_is_dropped_once_somebody_acknowledges(world: World, plant: Plant) -> None:
    world.mail.fail = [DeliveryError("connection refused") for _ in range(100)]
    await plant.desk.declare(ANA, title="Slow", severity="SEV4")
    for _ in range(ATTEMPTS + 1):
        await plant.turn()
        world.clock.move(seconds=400)
    await plant.desk.acknowledge("1", ANA, via="web")
    world.mail.fail = []
    world.clock.move(seconds=400)
    await plant.turn()
    assert "opened" not in [m.idempotency_key.split(":")[1] for m in sent(world.mail, "page")]


async def test_a_page_acknowledged_before_it_was_sent_is_dropped(world: World, plant: Plant) -> None:
    await plant.desk.receive([alert()])
    await plant.desk.acknowledge("1", ANA, via="web")
    await plant.turn()
    assert paged(world.mail) == paged(world.hook) == []
    assert await plant.core.read(lambda tx: tx.next_work_at()) is None


async def test_a_page_acknowledged_while_it_waits_for_another_try_is_dropped(world: World, plant: Plant) -> None:
    world.mail.fail = [DeliveryError("451 later")]
    await plant.desk.receive([alert()])
    await plant.turn()
    await plant.desk.acknowledge("1", ANA, via="web")
    world.clock.move(minutes=1)
    await plant.turn()
    assert paged(world.mail) == []


async def test_a_page_from_before_a_reopening_is_not_sent_after_it(world: World, plant: Plant) -> None:
    world.mail.fail = [DeliveryError("451 later", retry_after=600)]
    await plant.desk.receive([alert()])
    await plant.turn()
    world.clock.move(minutes=1)
    await plant.desk.resolve("1", ANA, reason="over")
    await plant.desk.reopen("1", ANA, reason="not over")
    world.clock.move(minutes=10)
    await plant.turn()
    assert [m.idempotency_key.split(":")[1] for m in sent(world.mail)] == ["opened#1"]


async def test_a_page_asked_for_by_a_person_goes_out_after_an_acknowledge(world: World, plant: Plant) -> None:
    await plant.desk.receive([alert()])
    await plant.desk.acknowledge("1", ANA, via="web")
    await plant.desk.escalate("1", ANA, role="DevOps Lead", reason="need a hand")
    await plant.turn()
    assert paged(world.mail) == ["dana"]


async def test_two_acknowledge_at_once_and_both_are_recorded(plant: Plant) -> None:
    await plant.desk.receive([alert()])
    await asyncio.gather(plant.desk.acknowledge("1", ANA, via="web"), plant.desk.acknowledge("1", BEN, via="slack"))
    incident = await plant.desk.incident("1")
    assert incident.acknowledged_by == incident.commander == "Ana"
    assert [x.via for x in await plant.events(e.Acknowledged)] == ["web", "slack"]


async def test_an_acknowledge_while_a_rung_is_being_advanced_leaves_one_story(world: World, plant: Plant) -> None:
    await plant.desk.receive([alert()])
    await plant.turn()
    world.clock.move(minutes=15)
    await asyncio.gather(plant.engine.tick(), plant.desk.acknowledge("1", ANA, via="web"))
    await plant.turn()
    assert paged(world.mail) == ["ana"]
    assert len(await plant.events(e.Acknowledged)) == 1


async def test_a_channel_that_hangs_is_cut_off_and_tried_again_as_a_possible_duplicate(world: World) -> None:
    plant = world.start(timeout=0.02)
    world.mail.held.clear()
    await plant.desk.receive([alert()])
    await plant.turn()
    assert paged(world.hook) == ["ana"]
    world.mail.held.set()
    world.clock.move(seconds=3)
    await plant.turn()
    assert [m.possible_duplicate for m in sent(world.mail)] == [True]
    assert (await plant.events(e.MessageFailed))[0].reason == "no answer within 0.02 s; trying again"


async def test_a_channel_that_breaks_stops_no_other(world: World, plant: Plant) -> None:
    world.mail.fail = [ZeroDivisionError("inside"), KeyError("to")] * 2
    await plant.desk.receive([alert()])
    await plant.turn()
    assert paged(world.hook) == ["ana"]
    failed = (await plant.events(e.MessageFailed))[0].reason
    assert failed in ("internal error: ZeroDivisionError; trying again", "internal error: KeyError; trying again")


async def test_a_channel_that_breaks_over_a_question_stops_no_incident(world: World) -> None:
    plant = Plant(world.store, world.clock, (Broken("slack"), world.mail), world.runner, world.policy)
    await plant.desk.receive([alert()])
    await plant.turn()
    assert paged(world.mail) == ["ana"]


async def test_a_person_no_channel_reaches_is_said_on_the_timeline(world: World, plant: Plant) -> None:
    world.mail.reaches = world.hook.reaches = ("dana",)
    await plant.desk.receive([alert()])
    await plant.turn()
    assert paged(world.mail) == []
    failed = await plant.events(e.MessageFailed)
    assert [(x.channel, x.to, x.reason) for x in failed] == [("-", "ana", "no channel reaches this person")]
    world.clock.move(minutes=30)
    await plant.turn()
    assert paged(world.mail) == ["dana"]


async def test_nobody_on_call_falls_through_to_the_next_rung_at_once(world: World) -> None:
    world.policy = with_roles(On_call=())
    plant = world.start()
    await plant.desk.receive([alert()])
    await plant.turn()
    assert paged(world.mail) == ["dana"]
    assert (await plant.events(e.RungPassed))[0].role == "On-call"


async def test_a_schedule_that_names_somebody_twice_pages_once(world: World) -> None:
    world.policy = with_roles(On_call=("ana", "ana"))
    plant = world.start()
    await plant.desk.receive([alert()])
    await plant.turn()
    assert paged(world.mail) == ["ana"]


async def test_nobody_at_all_still_opens_the_incident(world: World) -> None:
    world.policy = with_roles(**{"On_call": (), "DevOps Lead": (), "Engineering Manager": (), "CTO": ()})
    plant = world.start()
    await plant.desk.receive([alert()])
    await plant.turn()
    assert paged(world.mail) == []
    assert len(await plant.events(e.RungPassed)) == 5


async def test_the_ladder_pages_each_rung_once_and_informs_after_the_acknowledge(world: World, plant: Plant) -> None:
    await plant.desk.receive([alert()])
    await plant.turn()
    for minutes in (15, 15):
        world.clock.move(minutes=minutes)
        await plant.turn()
    await plant.desk.acknowledge("1", ANA, via="web")
    world.clock.move(minutes=30)
    await plant.turn()
    assert paged(world.mail) == ["ana", "ana", "dana"]
    told = [m.to.person.id for m in sent(world.mail, "notify") if m.to and m.to.role == "Engineering Manager"]
    assert told == ["emil"]


async def test_a_rung_paged_before_a_restart_is_not_paged_after_it(world: World, plant: Plant) -> None:
    await plant.desk.receive([alert()])
    world.clock.move(minutes=15)
    await plant.turn()
    before = world.pages()
    plant = await world.restart()
    await plant.turn()
    assert world.pages() == before
    assert len(before) == len(set(before)) == 4


async def test_a_page_whose_outcome_was_lost_goes_out_again_marked(world: World, plant: Plant) -> None:
    world.mail.held.clear()
    await plant.desk.receive([alert()])
    await plant.engine.step()
    await asyncio.sleep(0.01)
    plant = await world.restart()
    world.mail.held.set()
    await plant.turn()
    assert [m.possible_duplicate for m in sent(world.mail)] == [True]
    assert paged(world.mail) == ["ana"]


async def test_a_pause_of_hours_does_not_send_again_what_is_in_hand(world: World, plant: Plant) -> None:
    world.mail.held.clear()
    await plant.desk.declare(ANA, title="Slow", severity="SEV4")
    await plant.engine.step()
    world.clock.move(minutes=10)
    await plant.engine.step()
    world.mail.held.set()
    await plant.turn()
    assert paged(world.mail) == ["ana"]
    assert not sent(world.mail)[0].possible_duplicate


async def test_a_channel_taken_out_of_the_settings_is_said(world: World, plant: Plant) -> None:
    await plant.desk.receive([alert()])
    world.mail.name = "pigeon"
    plant = await world.restart()
    await plant.turn()
    said = (await plant.events(e.MessageFailed))[0]
    assert (said.channel, said.reason) == ("email", "channel email is not configured any more")


async def test_a_person_with_rules_is_reached_by_the_ways_they_chose(world: World) -> None:
    rules = (ContactRule(timedelta(0), "email"), ContactRule(timedelta(minutes=2), "webhook"))
    ana = Person("ana", "Ana", notify=rules)
    world.policy = policy(roster=Roster(PEOPLE | {"ana": ana}, HOLDERS))
    plant = world.start()
    await plant.desk.receive([alert()])
    await plant.turn()
    assert (paged(world.mail), paged(world.hook)) == (["ana"], [])
    world.clock.move(minutes=2)
    await plant.turn()
    assert (paged(world.mail), paged(world.hook)) == (["ana"], ["ana"])


async def test_escalating_to_a_role_nobody_holds_is_refused(plant: Plant) -> None:
    await plant.desk.receive([alert()])
    with pytest.raises(CommandError, match="nobody holds"):
        await plant.desk.escalate("1", ANA, role="Wizard")


async def test_an_acknowledge_after_the_end_is_refused(plant: Plant) -> None:
    await plant.desk.receive([alert()])
    await plant.desk.resolve("1", ANA, reason="over")
    with pytest.raises(TransitionError):
        await plant.desk.acknowledge("1", ANA, via="web")
