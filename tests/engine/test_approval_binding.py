"""An approval holds for what was shown: command, values, cluster, target. By whom, by which link, and without any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from engines import ANA, BEN, DOCUMENT, Plant, World, alert, e, policy
from engines import document as runbook

from tocsin.engine.asking import Asked
from tocsin.engine.desk import Desk
from tocsin.engine.ports import Choices
from tocsin.engine.running import StepWorker
from tocsin.engine.signing import ApprovalTicket
from tocsin.incident.errors import CommandError, PermissionRefused, TransitionError
from tocsin.incident.mitigations import Footing
from tocsin.incident.policy import Actor, Role
from tocsin.incident.state import Incident, Status
from tocsin.runbook.model import Placeholder, Step
from tocsin.runbook.reader import read

ROOT = Actor("Root", Role.ADMIN)
HERE = Footing("production (https://one)", "deployment/backend in production, generation 4", 3)
LINKED = """# Rollback deployment

## Quick rollback

```bash
# Look at the history
kubectl rollout history deployment/backend -n production

# Go back
kubectl rollout undo deployment/backend -n production
```
"""


class Ground:
    """A cluster that is where it is put, and has two pods."""

    def __init__(self) -> None:
        self.is_at = HERE

    async def footing(self, step: Step, *, environment: Sequence[str], values: Mapping[str, str]) -> Footing:
        return self.is_at

    async def choices(self, placeholder: Placeholder, step: Step, *, environment: Sequence[str]) -> Choices:
        return Choices(("backend-1", "backend-2"))


class Grounded(Plant):
    """A process that looks at the ground."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.ground = Ground()
        self.desk = Desk(self.core, self.runner, self.desk.services, cluster=self.ground)
        worker = StepWorker(self.core, self.runner, owner=self.engine._owner, cluster=self.ground)
        self.engine._worker = worker


@pytest.fixture
def plant(world: World) -> Grounded:
    linked = read(LINKED, file="docs/ROLLBACK_DEPLOYMENT.md").runbook
    found = replace(policy(), linked=(linked,))
    return Grounded(world.store, world.clock, (world.mail, world.hook), world.runner, found)


async def proposed(plant: Plant, slug: str = "rollback") -> str:
    await plant.desk.receive([alert()])
    await plant.turn()
    _, approval = await plant.desk.propose("1", ANA, slug=slug)
    return approval


async def approval(plant: Plant) -> tuple[str, str]:
    found = (await plant.desk.incident("1")).approvals[-1]
    return found.status, found.reason


async def test_a_proposal_says_where_it_acts_what_to_watch_and_how_to_take_it_back(plant: Grounded) -> None:
    await proposed(plant)
    found = (await plant.desk.incident("1")).approvals[0]
    assert (found.context, found.target) == (HERE.context, HERE.target)
    assert "Monitor for 15-30 minutes" in found.watch
    assert "goes back to the version that runs now" in found.undo


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (Footing("staging (https://two)", HERE.target), "the cluster is staging"),
        (Footing(HERE.context, "deployment/backend in production, generation 5"), "generation 5"),
    ],
)
async def test_what_changed_under_an_approval_refuses_it_and_lets_it_be_proposed_anew(
    plant: Grounded, now: Footing, reason: str
) -> None:
    first = await proposed(plant)
    plant.ground.is_at = now
    with pytest.raises(TransitionError, match=f"{reason}.*propose it again"):
        await plant.desk.approve("1", BEN, approval=first)
    status, why = await approval(plant)
    assert (status, reason in why) == ("rejected", True)
    _, second = await plant.desk.propose("1", ANA, slug="rollback")
    assert (await plant.desk.approve("1", BEN, approval=second)).approvals[-1].status == "approved"


async def test_what_changed_between_approval_and_execution_is_not_run_and_said(world: World, plant: Grounded) -> None:
    first = await proposed(plant)
    await plant.desk.approve("1", BEN, approval=first)
    plant.ground.is_at = Footing(HERE.context, "deployment/backend in production, generation 5")
    await plant.turn()
    assert "Rollback" not in world.runner.begun
    assert (await approval(plant))[0] == "rejected"
    assert any("does not run: what it acts on changed" in m.text for m in world.hook.messages if m.kind == "post")


async def test_an_unchanged_one_runs(world: World, plant: Grounded) -> None:
    await plant.desk.approve("1", BEN, approval=await proposed(plant))
    await plant.turn()
    assert ((await approval(plant))[0], world.runner.ran.count("Rollback")) == ("done", 1)


async def test_everybody_paged_gets_a_link_of_their_own_to_decide_with(world: World, plant: Grounded) -> None:
    await plant.desk.receive([alert()])
    await plant.turn()
    world.mail.messages.clear()
    await plant.desk.propose("1", BEN, slug="rollback")
    await plant.turn()
    (asked,) = [m for m in world.mail.messages if m.kind == "notify"]
    assert asked.to is not None
    assert asked.to.person.id == "ana"
    ticket = plant.signer.read_approval((asked.approve_url or "").rsplit("/", 1)[1])
    assert ticket is not None
    incident = await plant.desk.decide_by_ticket(ticket, decision="approve")
    assert incident.approvals[0].approved_by == ("Ana",)
    assert not any(m.approve_url for m in world.mail.messages if m.kind == "post")


async def test_a_link_of_another_proposal_or_of_nobody_decides_nothing(plant: Grounded) -> None:
    first = await proposed(plant)
    incident = await plant.desk.incident("1")
    held = incident.approvals[0].binding
    with pytest.raises(TransitionError):
        await plant.desk.decide_by_ticket(ApprovalTicket(incident.id, "ana", first, "x"), decision="approve")
    with pytest.raises(PermissionRefused):
        await plant.desk.decide_by_ticket(ApprovalTicket(incident.id, "gone", first, held), decision="approve")
    assert (await approval(plant))[0] == "pending"


async def test_forged_and_foreign_links_are_no_tickets(plant: Grounded) -> None:
    await proposed(plant)
    incident = await plant.desk.incident("1")
    url = plant.signer.approve_url(incident, "ana", incident.approvals[0])
    assert plant.signer.read_approval(url[:-2]) is None
    assert plant.signer.read(url.rsplit("/", 1)[1]) is None


async def test_breaking_the_glass_runs_at_once_and_is_loud(world: World, plant: Grounded) -> None:
    await proposed(plant)
    await plant.desk.break_glass("1", ROOT, slug="rollback", reason="nobody is awake")
    await plant.turn()
    incident = await plant.desk.incident("1")
    assert [a.status for a in incident.approvals] == ["rejected", "done"]
    assert (incident.status, incident.approvals[1].broken_glass) == (Status.MITIGATING, "nobody is awake")
    assert [x.reason for x in await plant.events(e.GlassBroken)] == ["nobody is awake"]
    assert any(m.subject.startswith("BREAK-GLASS") for m in world.hook.messages if m.kind == "post")
    assert await plant.refolded() == incident


@pytest.mark.parametrize(("who", "reason", "why"), [(ANA, "now", PermissionRefused), (ROOT, " ", CommandError)])
async def test_the_glass_takes_an_admin_and_a_reason(
    plant: Grounded, who: Actor, reason: str, why: type[Exception]
) -> None:
    await plant.desk.receive([alert()])
    with pytest.raises(why):
        await plant.desk.break_glass("1", who, slug="rollback", reason=reason)
    assert (await plant.desk.incident("1")).approvals == ()


async def test_where_it_acts_cannot_be_read_for_a_moment_and_the_proposal_stands(plant: Grounded) -> None:
    await plant.desk.receive([alert()])
    _, number = await plant.desk.propose("1", ANA, slug="rollback")
    plant.ground.is_at = Footing("unknown (no runner is connected)")
    hindered = await plant.desk.hindered("1", number)
    assert hindered is not None
    assert hindered.passing
    with pytest.raises(
        TransitionError, match=r"cannot be looked at now: unknown \(no runner is connected\): try again"
    ):
        await plant.desk.approve("1", BEN, approval=number)
    assert (await plant.desk.incident("1")).approvals[0].status == "pending"
    plant.ground.is_at = HERE
    assert await plant.desk.hindered("1", number) is None
    await plant.desk.approve("1", BEN, approval=number)
    await plant.turn()
    assert (await plant.desk.incident("1")).approvals[0].status == "done"


async def test_a_linked_documents_steps_run_under_the_same_rules(world: World, plant: Grounded) -> None:
    await plant.desk.receive([alert()])
    slug = "rollback-deployment--quick-rollback"
    with pytest.raises(CommandError, match="propose it as a mitigation"):
        await plant.desk.run_procedure("1", ANA, slug=slug, steps=[2])
    _, run = await plant.desk.run_procedure("1", ANA, slug="rollback-deployment/quick-rollback", steps=[1])
    await plant.turn()
    found = (await plant.desk.incident("1")).run(run)
    assert found is not None
    assert (found.status, found.procedure) == ("done", slug)
    assert "Look at the history" in world.runner.ran
    _, number = await plant.desk.propose("1", ANA, slug=f"{slug}#2")
    await plant.desk.approve("1", BEN, approval=number)
    await plant.turn()
    assert ((await approval(plant))[0], world.runner.ran[-1]) == ("done", "Go back")


async def test_an_incident_keeps_the_documents_it_opened_with(world: World, plant: Grounded) -> None:
    await plant.desk.receive([alert()])
    incident = await plant.desk.incident("1")
    own = runbook()
    old = plant.policy.linked[0]
    now = world.clock.now()
    text = DOCUMENT.read_text(encoding="utf-8")
    for digest, file, kept in ((own.digest, own.file, text), (old.digest, old.file, LINKED)):
        await plant.core.transact(lambda ledger, d=digest, f=file, k=kept: ledger.tx.put_runbook(d, f, k, now))  # type: ignore[misc]
    newer = read(LINKED.replace("Go back", "Go further back"), file=old.file).runbook
    later = Plant(
        world.store, world.clock, (world.mail,), world.runner, replace(policy(runbook("\n")), linked=(newer,))
    )
    assert [d.digest for d in later.policies.of(incident).linked] == [old.digest]
    assert later.policies.of(incident).runbook.digest == own.digest


async def test_what_a_step_asks_for_is_offered_and_suggested_never_filled_in(plant: Grounded) -> None:
    await plant.desk.receive([alert(pod="backend-7"), alert(pod="x y; rm -rf", name="Other")])
    found = await asked_for(plant)
    assert found.choices.values == ("backend-1", "backend-2")
    assert [s.value for s in found.suggestions] == ["backend-7"]
    incident: Incident = await plant.desk.incident("1")
    assert all(run.values == {} for run in incident.runs)


async def asked_for(plant: Plant) -> Asked:
    procedures = plant.desk.policy.runbook.procedures
    slug = next(p.slug for p in procedures if any(x.name == "pod-name" for s in p.steps for x in s.placeholders))
    return next(a for a in await plant.desk.values("1", slug) if a.placeholder.name == "pod-name")
