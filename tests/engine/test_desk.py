"""Each command as people give it: what it brings about, and what it is refused with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from engines import ANA, BEN, EYE, START, Plant, World, alert, e, paged, policy
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from msgspec.structs import replace

from tocsin.engine.errors import NotFound
from tocsin.engine.signing import MAX_AGE_SECONDS, Signer, Ticket
from tocsin.incident.checklists import items
from tocsin.incident.deadlines import Kind
from tocsin.incident.errors import CommandError, IncidentError, PermissionRefused, TransitionError
from tocsin.incident.state import Incident, Status

FIRST = "did-it-begin-with-a-recent-deployment"
Command = Callable[[Plant], Awaitable[object]]


async def declared(plant: Plant, severity: str = "SEV2") -> Incident:
    return await plant.desk.declare(ANA, title="Checkout is down", severity=severity, service="shop")


async def over(plant: Plant) -> Incident:
    await declared(plant)
    return await plant.desk.resolve("1", ANA, reason="known and harmless")


async def test_declaring_opens_pages_and_posts(world: World, plant: Plant) -> None:
    incident = await declared(plant)
    await plant.turn()
    assert (incident.number, incident.severity, incident.source) == (1, "SEV2", "declared")
    assert incident.severity_reason == "declared by Ana"
    assert paged(world.mail) == ["ana"]
    assert await plant.desk.incident(incident.id) == await plant.desk.incident("1")


async def test_declaring_without_a_severity_says_that_it_is_suggested(plant: Plant) -> None:
    incident = await plant.desk.declare(ANA, title="Something is odd")
    assert (incident.severity, incident.severity_reason) == ("SEV3", "suggested: no severity was given")


async def test_an_acknowledge_makes_the_first_the_commander(plant: Plant) -> None:
    await declared(plant)
    incident = await plant.desk.acknowledge("1", ANA, via="web")
    assert (incident.status, incident.commander) == (Status.ACKNOWLEDGED, "Ana")


async def test_escalating_pages_the_next_rung_now(world: World, plant: Plant) -> None:
    await declared(plant)
    await plant.desk.escalate("1", ANA, reason="stuck")
    await plant.turn()
    assert sorted(paged(world.mail)) == ["ana", "dana"]


async def test_another_severity_re_times_what_is_owed(plant: Plant) -> None:
    incident = await declared(plant, "SEV4")
    assert [d.due_at for d in plant.desk.deadlines(incident) if d.kind is Kind.PAGE] == [START + timedelta(minutes=15)]
    incident = await plant.desk.set_severity("1", ANA, severity="SEV1", reason="everybody is affected")
    assert len([d for d in plant.desk.deadlines(incident) if d.kind is Kind.PAGE]) == 4


async def test_notes_roles_facts_and_public_words_are_kept(plant: Plant) -> None:
    await declared(plant)
    await plant.desk.note("1", ANA, text=" looking ")
    await plant.desk.assign("1", ANA, role="scribe", person="ben")
    await plant.desk.record_facts("1", ANA, {"impact": "no orders", "root_cause": "a bad release"})
    incident = await plant.desk.publish("1", ANA, status="Identified", text="We know why.")
    assert (await plant.events(e.Noted))[0].text == "looking"
    assert incident.roles == {"scribe": "Ben"}
    assert incident.facts == {"impact": "no orders", "root_cause": "a bad release"}
    assert (incident.public[-1].status, incident.public[-1].text) == ("identified", "We know why.")


async def test_an_update_asks_for_its_blanks_and_goes_out_filled(world: World, plant: Plant) -> None:
    incident = await declared(plant)
    asked = plant.desk.update_asks(incident)
    assert asked
    with pytest.raises(CommandError) as caught:
        await plant.desk.update("1", ANA)
    incident = await plant.desk.update("1", ANA, fields=dict.fromkeys(asked, "said"))
    await plant.turn()
    assert set(caught.value.fields) <= set(asked)
    assert incident.updates[-1].missing == ()
    assert [m.text for m in world.hook.messages if m.kind == "update"] == [incident.updates[-1].text]


async def test_an_answer_at_a_leaf_proposes_its_mitigation(plant: Plant) -> None:
    await declared(plant)
    incident = await plant.desk.answer("1", ANA, question=FIRST, answer="yes", reason="deployed at 02:55")
    assert [(a.slug, a.status) for a in incident.approvals] == [("rollback", "pending")]
    assert plant.desk.position(incident).leaf is not None


async def test_the_checklist_is_ticked_by_id_and_unticked(plant: Plant) -> None:
    await declared(plant)
    first = items(policy().runbook)[0]
    assert (await plant.desk.tick("1", ANA, item=first.id)).ticked(first.id)
    assert not (await plant.desk.tick("1", ANA, item=first.text, done=False, note="again")).ticked(first.id)


async def test_a_resolve_verifies_first_and_with_a_reason_ends_at_once(plant: Plant) -> None:
    await declared(plant)
    incident = await plant.desk.resolve("1", ANA)
    assert (incident.status, incident.resolve_requested_by) == (Status.MONITORING, "Ana")
    missing = plant.desk.missing(incident)
    assert len([m for m in missing if m.startswith("open: ")]) == 6
    assert "monitoring until 03:15 UTC at the earliest" in missing
    incident = await plant.desk.resolve("1", ANA, reason="seen by the whole team")
    assert incident.status is Status.RESOLVED
    assert (await plant.events(e.Resolved))[0].open_items == missing


async def test_a_reopening_pages_again_and_the_review_closes(world: World, plant: Plant) -> None:
    await over(plant)
    world.clock.move(minutes=1)
    incident = await plant.desk.reopen("1", BEN, reason="it is back")
    await plant.turn()
    assert (incident.status, incident.generation) == (Status.OPEN, 1)
    assert paged(world.mail) == ["ana"]
    await plant.desk.resolve("1", ANA, reason="over again")
    assert (await plant.desk.close("1", ANA, reason="reviewed elsewhere")).status is Status.CLOSED


async def test_action_items_are_added_and_finished(plant: Plant) -> None:
    await over(plant)
    await plant.desk.add_action_item("1", ANA, title="Test it", owner="Ben", due_at=START + timedelta(days=7))
    incident = await plant.desk.finish_action_item("1", BEN, item="1")
    assert [(a.title, a.done_at) for a in incident.action_items] == [("Test it", START)]


async def test_a_procedure_runs_with_its_value(world: World, plant: Plant) -> None:
    await declared(plant)
    incident, run = await plant.desk.run_procedure("1", ANA, slug="pod-crashes", values={"pod-name": "backend-1"})
    await plant.turn()
    assert incident.run(run) is not None
    found = (await plant.desk.incident("1")).run(run)
    assert found is not None
    assert (found.status, found.values) == ("done", {"pod-name": "backend-1"})


async def test_a_value_the_runner_refuses_starts_nothing(plant: Plant) -> None:
    before = await declared(plant)
    with pytest.raises(CommandError, match="a value cannot be used: pod-name: must be one word") as caught:
        await plant.desk.run_procedure("1", ANA, slug="pod-crashes", values={"pod-name": "a; rm -rf /"})
    assert caught.value.fields == {"pod-name": "must be one word"}
    assert await plant.desk.incident("1") == before


async def test_a_proposal_is_approved_by_another_or_rejected(plant: Plant) -> None:
    await declared(plant)
    _, approval = await plant.desk.propose("1", ANA, slug="rollback")
    incident = await plant.desk.reject("1", BEN, approval=approval, reason="not the cause")
    assert incident.approvals[0].status == "rejected"
    _, approval = await plant.desk.propose("1", ANA, slug="rollback")
    incident = await plant.desk.approve("1", BEN, approval=approval)
    assert (incident.approvals[1].status, incident.approvals[1].approved_by) == ("approved", ("Ben",))
    assert (incident.status, incident.acknowledged_by) == (Status.MITIGATING, "Ben")


async def test_a_proposal_nobody_approves_expires(world: World, plant: Plant) -> None:
    await declared(plant)
    await plant.desk.propose("1", ANA, slug="rollback")
    world.clock.move(minutes=30)
    await plant.turn()
    assert (await plant.desk.incident("1")).approvals[0].status == "expired"
    with pytest.raises(TransitionError, match="expired"):
        await plant.desk.approve("1", BEN, approval="1")


REFUSED: dict[str, tuple[Command, type[IncidentError | NotFound]]] = {
    "a severity nobody defined": (lambda p: p.desk.declare(ANA, title="x", severity="SEV9"), CommandError),
    "no title": (lambda p: p.desk.declare(ANA, title="  "), CommandError),
    "an incident that is not there": (lambda p: p.desk.acknowledge("7", ANA, via="web"), NotFound),
    "the same severity": (lambda p: p.desk.set_severity("1", ANA, severity="SEV2"), TransitionError),
    "an empty note": (lambda p: p.desk.note("1", ANA, text=" "), CommandError),
    "nobody for a role": (lambda p: p.desk.assign("1", ANA, role="scribe", person=""), CommandError),
    "an empty fact": (lambda p: p.desk.record_facts("1", ANA, {"impact": "ok", "cause": ""}), CommandError),
    "an unknown public word": (lambda p: p.desk.publish("1", ANA, status="fine"), CommandError),
    "an unknown template": (lambda p: p.desk.update("1", ANA, template="Nope"), CommandError),
    "an unknown question": (lambda p: p.desk.answer("1", ANA, question="why", answer="yes"), IncidentError),
    "an unknown answer": (lambda p: p.desk.answer("1", ANA, question=FIRST, answer="perhaps"), CommandError),
    "an unknown item": (lambda p: p.desk.tick("1", ANA, item="nothing/9"), CommandError),
    "reopening what is open": (lambda p: p.desk.reopen("1", ANA, reason="x"), TransitionError),
    "closing what is open": (lambda p: p.desk.close("1", ANA), TransitionError),
    "the impact of what nobody owns": (lambda p: p.desk.mitigated("1", ANA), TransitionError),
    "an unknown procedure": (lambda p: p.desk.run_procedure("1", ANA, slug="nope"), NotFound),
    "a step out of reach": (lambda p: p.desk.run_procedure("1", ANA, slug="high-latency", steps=[4]), CommandError),
    "a step that changes": (lambda p: p.desk.run_procedure("1", ANA, slug="key-commands", steps=[5]), CommandError),
    "a procedure without its value": (lambda p: p.desk.run_procedure("1", ANA, slug="pod-crashes"), CommandError),
    "an unknown mitigation": (lambda p: p.desk.propose("1", ANA, slug="nope"), NotFound),
    "a mitigation without command": (lambda p: p.desk.propose("1", ANA, slug="failover"), CommandError),
    "a mitigation without its value": (lambda p: p.desk.propose("1", ANA, slug="restart-that-component"), CommandError),
    "a bad value": (
        lambda p: p.desk.propose("1", ANA, slug="restart-that-component", values={"name": "a b"}), CommandError
    ),
    "a viewer's proposal": (lambda p: p.desk.propose("1", EYE, slug="rollback"), PermissionRefused),
    "an unknown approval": (lambda p: p.desk.approve("1", ANA, approval="3"), CommandError),
    "rejecting an unknown approval": (lambda p: p.desk.reject("1", ANA, approval="3"), CommandError),
    "settling what is known": (lambda p: p.desk.settle("1", ANA, approval="1", outcome="done"), TransitionError),
    "an unknown action item": (lambda p: p.desk.finish_action_item("1", ANA, item="9"), CommandError),
    "an action item without owner": (
        lambda p: p.desk.add_action_item("1", ANA, title="x", owner="", due_at=START), CommandError
    ),
    "evidence that is not there": (lambda p: p.desk.evidence("nope"), NotFound),
    "a timeline that is not there": (lambda p: p.desk.timeline("12345678901"), NotFound),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
async def test_a_refused_command_changes_nothing(plant: Plant, case: str) -> None:
    command, refusal = REFUSED[case]
    before = await declared(plant)
    with pytest.raises(refusal) as caught:
        await command(plant)
    assert str(caught.value)
    assert await plant.desk.incidents() == [before]
    assert len(await plant.desk.timeline("1")) == before.version


async def test_resolving_twice_is_refused_with_what_is_missing(plant: Plant) -> None:
    await declared(plant)
    await plant.desk.resolve("1", ANA)
    with pytest.raises(TransitionError, match="not verified yet: open: "):
        await plant.desk.resolve("1", ANA)


async def test_closing_with_tasks_open_is_refused(plant: Plant) -> None:
    await over(plant)
    with pytest.raises(TransitionError, match="still to do: "):
        await plant.desk.close("1", ANA)


async def test_a_link_acknowledges_as_the_person_it_names(plant: Plant) -> None:
    incident = await declared(plant)
    ticket = _read(plant.signer, plant.signer.acknowledge_url(incident, "ana"))
    assert ticket is not None
    found = await plant.desk.acknowledge_by_ticket(ticket)
    assert (found.acknowledged_by, found.status) == ("Ana", Status.ACKNOWLEDGED)
    assert (await plant.events(e.Acknowledged))[0].via == "link"
    await plant.desk.acknowledge_by_ticket(ticket)


async def test_a_link_from_before_a_reopening_is_refused(plant: Plant) -> None:
    old = plant.signer.acknowledge_url(await over(plant), "ana")
    incident = await plant.desk.reopen("1", ANA, reason="it is back")
    with pytest.raises(TransitionError, match="before the incident was reopened"):
        await plant.desk.acknowledge_by_ticket(_read(plant.signer, old) or Ticket("", "", 0))
    new = _read(plant.signer, plant.signer.acknowledge_url(incident, "ana"))
    assert new is not None
    assert (await plant.desk.acknowledge_by_ticket(new)).acknowledged_by == "Ana"


async def test_a_forged_cut_or_foreign_link_is_nobodys(plant: Plant) -> None:
    url = plant.signer.acknowledge_url(await declared(plant), "ana")
    ticket = url.rpartition("/")[2]
    forged = Signer("another key", "https://tocsin.example.com").acknowledge_url(await plant.desk.incident("1"), "ana")
    other = URLSafeTimedSerializer("a secret key", salt="tocsin.acknowledge").dumps(["only", "two"])
    assert plant.signer.read(ticket) is not None
    for bad in (ticket[:-1], "x" + ticket, forged.rpartition("/")[2], other, "", "naïve.ticket", "."):
        assert plant.signer.read(bad) is None


@pytest.mark.parametrize(("age", "good"), [(MAX_AGE_SECONDS - 60, True), (MAX_AGE_SECONDS + 1, False)])
async def test_a_link_is_good_for_a_week(plant: Plant, age: int, good: bool) -> None:
    class Earlier(TimestampSigner):
        def get_timestamp(self) -> int:
            return super().get_timestamp() - age

    made = URLSafeTimedSerializer("a secret key", salt="tocsin.acknowledge", signer=Earlier).dumps(["id", "ana", 0])
    assert (plant.signer.read(str(made)) is not None) is good


async def test_a_ticket_for_a_person_who_has_left_still_acknowledges(plant: Plant) -> None:
    incident = await declared(plant)
    found = await plant.desk.acknowledge_by_ticket(Ticket(incident.id, "zoe", 0))
    assert found.acknowledged_by == "zoe"


async def test_an_alert_is_about_the_configured_service_its_labels_match(plant: Plant) -> None:
    one = alert(service="x")
    await plant.desk.receive([replace(one, labels=one.labels | {"app": "backend"})])
    assert (await plant.desk.incident("1")).service == "backend"


def _read(signer: Signer, url: str) -> Ticket | None:
    return signer.read(url.rpartition("/")[2])
