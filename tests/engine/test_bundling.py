"""A storm rings once and names everything; who gets one bundle after the other gets them at a pace."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from engines import HOLDERS, PEOPLE, World, alert, e, parts, sent

from tocsin.engine.bundling import AGAIN, BUNDLES, GATHER, LATER, MINUTE, WHOLE, Pace, bundled
from tocsin.engine.fakes import START
from tocsin.engine.ports import Brief, DeliveryError, Message, Recipient
from tocsin.oncall.roster import ContactRule, Person, Roster

ANA = Recipient("On-call", Person("ana", "Ana"))
PAGES, REPEATS = ("sms", "page:ana"), ("sms", "again:ana")
TICK = timedelta(microseconds=1)


def page(number: int, severity: str = "SEV2", *, key: str = "opened", duplicate: bool = False) -> Message:
    incident = Brief(f"id{number}", number, f"Trouble {number}", severity, "open", f"https://t.example/{number}")
    return Message(
        "page", f"id{number}:{key}:ana:sms", incident, ANA, f"{severity}: Trouble {number}", "text",
        acknowledge_url=f"https://t.example/ack/{number}", possible_duplicate=duplicate,
    )  # fmt: skip


def test_one_page_goes_as_it_is() -> None:
    assert bundled([page(1)]) == page(1)


def test_a_bundle_names_every_incident_the_severest_first() -> None:
    found = bundled([page(2), page(3, "SEV1"), page(1)])
    assert found.subject == "3 incidents: SEV1: Trouble 3, and 2 more"
    assert [one.incident.number for one in found.bundle] == [3, 1, 2]
    assert found.acknowledge_url is None
    assert [line for line in found.text.splitlines() if line.startswith("Acknowledge")] == [
        f"Acknowledge: https://t.example/ack/{n}" for n in (3, 1, 2)
    ]


def test_several_pages_of_one_incident_are_told_once() -> None:
    found = bundled([page(1), page(1, key="rung:900:On-call")])
    assert (found.subject, found.acknowledge_url) == ("SEV2: Trouble 1", "https://t.example/ack/1")
    assert len(found.bundle) == 2


def test_the_key_of_a_bundle_stands_for_what_is_in_it() -> None:
    one = bundled([page(1), page(2)])
    assert one.idempotency_key == bundled([page(2), page(1)]).idempotency_key
    assert one.idempotency_key != bundled([page(1), page(3)]).idempotency_key


def test_a_bundle_with_a_page_that_may_have_been_sent_says_so() -> None:
    assert bundled([page(1), page(2, duplicate=True)]).possible_duplicate


def test_a_large_bundle_lists_the_first_and_numbers_the_rest() -> None:
    found = bundled([page(n) for n in range(1, WHOLE + 3)])
    assert found.text.endswith(f"And #{WHOLE + 1}, #{WHOLE + 2}")
    assert len(found.bundle) == WHOLE + 2


def test_single_pages_are_never_held() -> None:
    pace = Pace()
    for n in range(50):
        pace.handed_over(PAGES, 1, START + n * TICK)
    assert pace.held(START + 50 * TICK) == {}


def test_after_a_bundle_the_next_one_gathers_for_a_moment() -> None:
    pace = Pace()
    pace.handed_over(PAGES, 2, START)
    assert pace.held(START + GATHER - TICK) == {PAGES: START + GATHER}
    assert pace.held(START + GATHER) == {}


def test_after_many_bundles_it_gathers_longer() -> None:
    pace = Pace()
    for n in range(BUNDLES):
        pace.handed_over(PAGES, 9, START + n * GATHER)
    last = START + (BUNDLES - 1) * GATHER
    assert pace.held(last) == {PAGES: last + LATER}


def test_repeated_pages_go_out_a_few_times_a_minute() -> None:
    pace = Pace()
    for n in range(AGAIN):
        assert pace.held(START + n * TICK) == {}
        pace.handed_over(REPEATS, 1, START + n * TICK)
    assert pace.held(START + MINUTE - TICK) == {REPEATS: START + MINUTE}
    assert pace.held(START + MINUTE) == {}


async def test_what_comes_while_a_page_is_handed_over_shares_the_next_one(world: World) -> None:
    plant = world.start()
    world.mail.held.clear()
    await plant.desk.receive([alert(service="first")])
    await plant.engine.step()
    await asyncio.sleep(0.01)
    await plant.desk.receive([alert(service=f"service-{n}") for n in range(5)])
    world.mail.held.set()
    await plant.turn()
    assert [[one.incident.number for one in parts(m)] for m in sent(world.mail)] == [[1], [2, 3, 4, 5, 6]]
    assert [len(await plant.events(e.MessageDelivered, str(n))) for n in range(1, 7)] == [2] * 6


@pytest.mark.parametrize("permanent", [True, False])
async def test_a_page_that_one_channel_cannot_carry_goes_out_by_the_others_at_once(
    world: World, permanent: bool
) -> None:
    chosen = Person("ana", "Ana", notify=(ContactRule(timedelta(0), "email"),))
    world.policy = replace(world.policy, roster=Roster(PEOPLE | {"ana": chosen}, HOLDERS))
    plant = world.start()
    world.mail.fail = [DeliveryError("the server is down", permanent=permanent)]
    await plant.desk.receive([alert()])
    await plant.turn()
    assert [m.to.person.id for m in sent(world.hook) if m.to] == ["ana"]
    failed = await plant.events(e.MessageFailed)
    again = "" if permanent else "; trying again"
    assert [x.reason for x in failed if x.kind == "page"] == [f"the server is down{again}; also by webhook"]
