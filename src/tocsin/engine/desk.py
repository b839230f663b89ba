"""What the outside asks of the engine: alerts in, people's commands, and what there is to read. One method a thing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from datetime import datetime

from tocsin.diagnosis.answering import answer as decide_answer
from tocsin.diagnosis.walk import Position, walk
from tocsin.engine.asking import Asked, Hindered, suggested
from tocsin.engine.core import Committed, Core, Decision, new_id
from tocsin.engine.errors import NotFound
from tocsin.engine.intake import Receipt, foresee, receive
from tocsin.engine.ledger import Ledger, is_number
from tocsin.engine.live import News
from tocsin.engine.merging import Merging
from tocsin.engine.patience import Patience
from tocsin.engine.ports import Cluster, NoCluster, Runner
from tocsin.engine.records import AlertRecord, Evidence
from tocsin.engine.running import as_step, of_mitigation, refusals
from tocsin.engine.signing import ApprovalTicket, Ticket
from tocsin.engine.storage import Transaction
from tocsin.engine.triage import Service, Triage
from tocsin.incident import commands, library, mitigations
from tocsin.incident import events as e
from tocsin.incident.alert import Alert, AlertStatus
from tocsin.incident.deadlines import Deadline, deadlines
from tocsin.incident.errors import CommandError, PermissionRefused, TransitionError
from tocsin.incident.mitigations import NOWHERE, Footing
from tocsin.incident.policy import TOCSIN, Actor, Context, Policy, Role
from tocsin.incident.state import Answer, Incident
from tocsin.runbook.model import Mitigation, Procedure, Step


class Desk:
    """Every `ref` is an incident's id or number. Raises NotFound, TransitionError, CommandError, PermissionRefused."""

    def __init__(
        self,
        core: Core,
        runner: Runner,
        rules: Sequence[Service] | Triage,
        *,
        cluster: Cluster | None = None,
    ) -> None:
        self.core = core
        self._runner = runner
        self._cluster = cluster or NoCluster()
        self.triage = rules if isinstance(rules, Triage) else Triage(tuple(rules))
        self.merging = Merging(core, self.triage)

    @property
    def services(self) -> tuple[Service, ...]:
        return self.triage.services

    @property
    def policy(self) -> Policy:
        """The policy for what opens now."""
        return self.core.policies.current

    def policy_for(self, alert: Alert) -> Policy:
        """The policy for what such an alert opens now."""
        return self.core.policies.named(self.triage.runbook_of(alert))

    def now(self) -> datetime:
        return self.core.clock.now()

    # alerts and opening

    async def receive(self, alerts: Sequence[Alert], *, patience: Patience | None = None) -> list[Receipt]:
        """What came of each alert, once all of them are durable. Raises TimeoutError when `patience` ends first."""

        def take(ledger: Ledger) -> list[Receipt]:
            return [receive(ledger, a, triage=self.triage) for a in alerts]

        receipts = await self.core.transact(take, foresee=self._foresee, about=alerts, patience=patience)
        outcomes = [receipt.outcome for receipt in receipts]
        for outcome in set(outcomes):
            self.core.meters.took_alerts(outcome, outcomes.count(outcome))
        return receipts

    def _foresee(self, tx: Transaction, bodies: Sequence[Sequence[Alert]]) -> None:
        foresee(tx, [alert for body in bodies for alert in body], self.triage)

    async def declare(
        self,
        actor: Actor,
        *,
        title: str,
        severity: str | None = None,
        summary: str = "",
        service: str = "",
        runbook: str = "",
    ) -> Incident:
        """A new incident, said by a person. Without a severity the configured default is suggested; without the name of
        a runbook it is that of the service's route."""

        def declare(ledger: Ledger) -> Incident:
            if runbook and runbook not in ledger.policies.in_force():
                known = ", ".join(filter(None, ledger.policies.in_force())) or "none but the main one"
                raise CommandError(f"no runbook is named {runbook!r}", {"runbook": f"one of: {known}"})
            policy = ledger.policies.named(runbook or self.triage.runbook_for(service))
            suggested = policy.severity_for({})
            level = severity or (suggested[0] if suggested else "")
            why = f"declared by {actor.name}" if severity else "suggested: no severity was given"
            ctx = Context(ledger.now, actor, policy)
            said = commands.opened(
                ctx,
                title=title,
                severity=level,
                severity_reason=why,
                service=service,
                source="declared",
                summary=summary,
            )
            incident = ledger.open(new_id(), said, actor=actor.name)
            return ledger.append(incident, commands.first_moves(incident, ctx), actor=TOCSIN.name)

        return await self.core.transact(declare)

    # commands

    async def acknowledge(self, ref: str, actor: Actor, *, via: str) -> Incident:
        return await self._decide(ref, actor, lambda i, ctx: commands.acknowledge(i, ctx, via=via))

    async def acknowledge_by_ticket(self, ticket: Ticket) -> Incident:
        """Acknowledges as the person a signed link names. Raises TransitionError for a page of an earlier opening."""
        person = self.policy.roster.person(ticket.person)
        actor = Actor(person.name if person else ticket.person)

        def acknowledge(ledger: Ledger) -> Incident:
            incident = ledger.get(ticket.incident_id)
            if incident.generation != ticket.generation:
                raise TransitionError("this page is from before the incident was reopened: a newer one has been sent")
            while incident.merged_into is not None:
                incident = ledger.get(incident.merged_into.id)
            return ledger.decide(incident.id, actor, lambda i, ctx: commands.acknowledge(i, ctx, via="link"))

        return await self.core.transact(acknowledge)

    async def escalate(self, ref: str, actor: Actor, *, role: str | None = None, reason: str = "") -> Incident:
        return await self._decide(ref, actor, lambda i, ctx: commands.escalate(i, ctx, role=role, reason=reason))

    async def set_severity(self, ref: str, actor: Actor, *, severity: str, reason: str = "") -> Incident:
        return await self._decide(
            ref, actor, lambda i, ctx: commands.set_severity(i, ctx, severity=severity, reason=reason)
        )

    async def note(self, ref: str, actor: Actor, *, text: str) -> Incident:
        return await self._decide(ref, actor, lambda i, ctx: commands.note(i, ctx, text=text))

    async def assign(self, ref: str, actor: Actor, *, role: str, person: str) -> Incident:
        return await self._decide(ref, actor, lambda i, ctx: commands.assign(i, ctx, role=role, person=person))

    async def record_facts(self, ref: str, actor: Actor, facts: Mapping[str, str]) -> Incident:
        """Impact, root cause and the like, each kept by name."""

        def decide(i: Incident, ctx: Context) -> Sequence[e.Event]:
            return [x for k, v in facts.items() for x in commands.record_fact(i, ctx, name=k, text=v)]

        return await self._decide(ref, actor, decide)

    async def publish(self, ref: str, actor: Actor, *, status: str, text: str = "") -> Incident:
        return await self._decide(ref, actor, lambda i, ctx: commands.publish(i, ctx, status=status, text=text))

    async def update(
        self,
        ref: str,
        actor: Actor,
        *,
        template: str = "Update",
        fields: Mapping[str, str] | None = None,
        text: str = "",
    ) -> Incident:
        return await self._decide(
            ref, actor, lambda i, ctx: commands.update(i, ctx, template=template, fields=fields, text=text)
        )

    async def answer(
        self, ref: str, actor: Actor, *, question: str, answer: str, reason: str = "", evidence: str | None = None
    ) -> Incident:
        """A question of the decision tree answered; at a leaf with a command, its mitigation is proposed."""
        incident = await self.incident(ref)
        given = Answer(question, answer.strip().casefold(), actor.name, self.now())
        leaf = walk(self.policy_of(incident).runbook, (*incident.answers, given)).leaf
        footing = await self._footing(incident, leaf.mitigation, {}) if leaf and leaf.mitigation else NOWHERE
        return await self._decide(
            incident.id,
            actor,
            lambda i, ctx: decide_answer(
                i, ctx, question=question, answer=answer, reason=reason, footing=footing, evidence=evidence
            ),
        )

    async def tick(self, ref: str, actor: Actor, *, item: str, done: bool = True, note: str = "") -> Incident:
        return await self._decide(ref, actor, lambda i, ctx: commands.tick(i, ctx, item=item, done=done, note=note))

    async def mitigated(self, ref: str, actor: Actor, *, reason: str = "") -> Incident:
        return await self._decide(ref, actor, lambda i, ctx: commands.mitigated(i, ctx, reason=reason))

    async def resolve(self, ref: str, actor: Actor, *, reason: str = "") -> Incident:
        return await self._decide(ref, actor, lambda i, ctx: commands.resolve(i, ctx, reason=reason))

    async def reopen(self, ref: str, actor: Actor, *, reason: str) -> Incident:
        def reopen(ledger: Ledger) -> Incident:
            incident = ledger.decide(ref, actor, lambda i, ctx: commands.reopen(i, ctx, reason=reason))
            follow = commands.after_reopening(incident, ledger.context(incident, TOCSIN))
            return ledger.append(incident, follow, actor=TOCSIN.name)

        return await self.core.transact(reopen)

    async def close(self, ref: str, actor: Actor, *, reason: str = "") -> Incident:
        return await self._decide(ref, actor, lambda i, ctx: commands.close(i, ctx, reason=reason))

    async def add_action_item(
        self, ref: str, actor: Actor, *, title: str, owner: str, due_at: datetime, kind: str = ""
    ) -> Incident:
        return await self._decide(
            ref,
            actor,
            lambda i, ctx: commands.add_action_item(i, ctx, title=title, owner=owner, due_at=due_at, kind=kind),
        )

    async def finish_action_item(self, ref: str, actor: Actor, *, item: str) -> Incident:
        return await self._decide(ref, actor, lambda i, ctx: commands.finish_action_item(i, ctx, item=item))

    # procedures and mitigations

    async def run_procedure(
        self, ref: str, actor: Actor, *, slug: str, steps: Sequence[int] = (), values: Mapping[str, str] | None = None
    ) -> tuple[Incident, str]:
        """Begins a run of reading steps; the incident and the run's id. A bad value raises CommandError naming it."""
        given = dict(values or {})

        def decide(i: Incident, ctx: Context) -> Sequence[e.Event]:
            procedure = _procedure(ctx.policy, slug)
            happened = commands.start_procedure(i, ctx, procedure, indices=steps, values=given)
            started = next(x for x in happened if isinstance(x, e.RunStarted))
            wanted = [procedure.steps[n - 1] for n in started.indices]
            _refuse(refusals(self._runner, wanted, given))
            return happened

        incident = await self._decide(ref, actor, decide)
        return incident, incident.runs[-1].id

    async def propose(
        self, ref: str, actor: Actor, *, slug: str, values: Mapping[str, str] | None = None
    ) -> tuple[Incident, str]:
        """Proposes a mitigation, or a step of a procedure (`slug#2`); the incident and the approval's id."""
        given = dict(values or {})
        footing = await self._footing(await self.incident(ref), slug, given)

        def decide(i: Incident, ctx: Context) -> Sequence[e.Event]:
            found = self._action(ctx.policy, slug, given)
            return mitigations.propose(i, ctx, found, values=given, footing=footing)

        incident = await self._decide(ref, actor, decide)
        return incident, incident.approvals[-1].id

    async def break_glass(
        self, ref: str, actor: Actor, *, slug: str, reason: str, values: Mapping[str, str] | None = None
    ) -> tuple[Incident, str]:
        """Runs a mitigation at once, unapproved, by an admin's word; the incident and the approval's id."""
        given = dict(values or {})
        footing = await self._footing(await self.incident(ref), slug, given)

        def decide(i: Incident, ctx: Context) -> Sequence[e.Event]:
            found = self._action(ctx.policy, slug, given)
            return mitigations.break_glass(i, ctx, found, values=given, footing=footing, reason=reason)

        incident = await self._decide(ref, actor, decide)
        return incident, incident.approvals[-1].id

    async def approve(self, ref: str, actor: Actor, *, approval: str) -> Incident:
        """One person's yes. What does not hold any more is ended, so that it can be proposed again, and refused."""
        incident = await self.incident(ref)
        found = incident.approval(approval)
        footing = await self._footing(incident, found.slug, found.values) if found else None
        try:
            return await self._decide(
                incident.id, actor, lambda i, ctx: mitigations.approve(i, ctx, approval, footing=footing)
            )
        except TransitionError:
            if found is None or not mitigations.unreadable(found, footing):
                await self._decide(
                    incident.id, TOCSIN, lambda i, ctx: mitigations.expire_outdated(i, ctx, approval, footing=footing)
                )
            raise

    async def decide_by_ticket(self, ticket: ApprovalTicket, *, decision: str, reason: str = "") -> Incident:
        """Approves or rejects as the person a signed link names, with the access that the settings give them."""
        incident = await self.incident(ticket.incident_id)
        found = incident.approval(ticket.approval)
        if found is None or found.binding != ticket.binding:
            raise TransitionError("this link is of another proposal")
        actor = self.bearer(ticket.person)
        if decision == "approve":
            return await self.approve(incident.id, actor, approval=ticket.approval)
        return await self.reject(incident.id, actor, approval=ticket.approval, reason=reason)

    def bearer(self, person: str) -> Actor:
        """Whoever holds a link made for this person, as an actor. Raises PermissionRefused for one who is gone."""
        found = self.policy.roster.person(person)
        if found is None:
            raise PermissionRefused(f"{person} is not among the people of this house any more")
        return Actor(found.name, Role(found.access))

    async def values(self, ref: str, slug: str, *, mitigation: bool = False) -> list[Asked]:
        """What a procedure, or a mitigation, asks for, with what there is to choose from. Nothing is filled in."""
        incident = await self.incident(ref)
        policy = self.policy_of(incident)
        steps, environment = _steps_of(policy, slug, mitigation=mitigation)
        labels = [r.alert for r in await self.alerts(ref=incident.id)]
        wanted = {p.name: (p, step) for step in steps for p in reversed(step.placeholders)}
        looked = await asyncio.gather(
            *(self._cluster.choices(p, step, environment=environment) for p, step in wanted.values())
        )
        return [
            Asked(
                p,
                choices,
                tuple(s for s in suggested(p, labels) if not self._runner.refuses(step, {p.name: s.value}).get(p.name)),
            )
            for (p, step), choices in zip(wanted.values(), looked, strict=True)
        ]

    async def hindered(self, ref: str, approval: str) -> Hindered | None:
        """Why a proposal could not be approved now, as the documents and the cluster are; None when it could."""
        incident = await self.incident(ref)
        found = incident.approval(approval)
        if found is None:
            raise NotFound(f"incident {incident.number} has no approval {approval!r}")
        footing = await self._footing(incident, found.slug, found.values)
        if why := mitigations.unreadable(found, footing):
            return Hindered(why, passing=True)
        why = mitigations.outdated(Context(self.now(), TOCSIN, self.policy_of(incident)), found, footing)
        return Hindered(why) if why else None

    async def _footing(self, incident: Incident, slug: str, values: Mapping[str, str]) -> Footing:
        """Where the mitigation would act now; nowhere when the values cannot be used anyway."""
        found = library.mitigation(self.policy_of(incident), slug)
        if found is None or found.mitigation.command is None:
            return NOWHERE
        step = as_step(found.mitigation)
        if self._runner.refuses(step, dict(values)):
            return NOWHERE
        return await self._cluster.footing(step, environment=found.environment, values=values)

    def _action(self, policy: Policy, slug: str, values: dict[str, str]) -> Mitigation:
        found = library.mitigation(policy, slug)
        if found is None:
            raise NotFound(f"the runbook has no mitigation {slug!r}")
        if found.mitigation.command is not None:
            _refuse(self._runner.refuses(as_step(found.mitigation), values))
        return found.mitigation

    async def reject(self, ref: str, actor: Actor, *, approval: str, reason: str = "") -> Incident:
        return await self._decide(ref, actor, lambda i, ctx: mitigations.reject(i, ctx, approval, reason=reason))

    async def cancel_run(self, ref: str, actor: Actor, *, run: str, reason: str = "") -> Incident:
        """Stops a run: its processes end, what it has shown by then is kept."""
        incident = await self._decide(ref, actor, lambda i, ctx: commands.cancel_run(i, ctx, run=run, reason=reason))
        self.core.live.stop((incident.id, run))
        return incident

    async def stop_mitigation(self, ref: str, actor: Actor, *, approval: str, reason: str) -> Incident:
        """Ends a running mitigation half-way: its outcome is unknown from then on."""
        incident = await self._decide(ref, actor, lambda i, ctx: mitigations.stop(i, ctx, approval, reason=reason))
        self.core.live.stop((incident.id, of_mitigation(approval)))
        return incident

    async def settle(self, ref: str, actor: Actor, *, approval: str, outcome: str, reason: str = "") -> Incident:
        """A person says what came of a mitigation whose outcome was unknown."""
        return await self._decide(
            ref, actor, lambda i, ctx: mitigations.settle(i, ctx, approval, outcome=outcome, reason=reason)
        )

    # reading

    async def incident(self, ref: str) -> Incident:
        found = await self.core.read(
            lambda tx: tx.incident(ref) or (tx.incident_numbered(int(ref)) if is_number(ref) else None)
        )
        if found is None:
            raise NotFound(f"no incident {ref}")
        return found

    async def incidents(
        self, *, over: bool | None = None, severity: str = "", text: str = "", below: int | None = None, limit: int = 50
    ) -> list[Incident]:
        """Newest first; `below` is the number to go on from."""
        return await self.core.read(
            lambda tx: tx.incidents(over=over, severity=severity, text=text, below=below, limit=limit)
        )

    async def timeline(self, ref: str, *, after: int = 0, limit: int | None = None) -> list[e.Entry]:
        incident = await self.incident(ref)
        return await self.core.read(lambda tx: tx.timeline(incident.id, after=after, limit=limit))

    async def alerts(
        self,
        *,
        ref: str | None = None,
        status: AlertStatus | None = None,
        text: str = "",
        skip: int = 0,
        limit: int = 100,
    ) -> list[AlertRecord]:
        incident_id = (await self.incident(ref)).id if ref else None
        return await self.core.read(
            lambda tx: tx.alerts(incident_id=incident_id, status=status, text=text, skip=skip, limit=limit)
        )

    async def evidence(self, id_: str) -> Evidence:
        found = await self.core.read(lambda tx: tx.evidence(id_))
        if found is None:
            raise NotFound(f"no evidence {id_}")
        return found

    async def evidence_of(self, ref: str) -> list[Evidence]:
        incident = await self.incident(ref)
        return await self.core.read(lambda tx: tx.evidence_of(incident.id))

    def policy_of(self, incident: Incident) -> Policy:
        return self.core.policies.of(incident)

    def deadlines(self, incident: Incident) -> tuple[Deadline, ...]:
        """What is owed, soonest first."""
        return deadlines(incident, self.policy_of(incident))

    def position(self, incident: Incident) -> Position:
        """Where the incident stands in the decision tree."""
        return walk(self.policy_of(incident).runbook, incident.answers)

    def missing(self, incident: Incident) -> tuple[str, ...]:
        """What keeps the incident from being resolved, in words."""
        ctx = Context(self.now(), TOCSIN, self.policy_of(incident))
        return commands.what_is_missing(incident, ctx)

    def update_asks(self, incident: Incident, template: str = "Update") -> tuple[str, ...]:
        """The blanks of a template that only a person can fill now; empty when the runbook has no such template."""
        policy = self.policy_of(incident)
        found = policy.runbook.template(template)
        return commands.update_asks(incident, Context(self.now(), TOCSIN, policy), found) if found else ()

    def follow(self) -> AsyncIterator[Committed]:
        """Every timeline entry as it commits, of all incidents."""
        return self.core.follow()

    def follow_run(self, incident: Incident, run: str) -> AsyncGenerator[News]:
        """What the run's unfinished steps say, from their beginning on; `run` may be `mitigation N`."""
        return self.core.live.follow((incident.id, run))

    async def _decide(self, ref: str, actor: Actor, decision: Decision) -> Incident:
        return await self.core.decide(ref, actor, decision)


def _procedure(policy: Policy, slug: str) -> Procedure:
    found = library.procedure(policy, slug)
    if found is None:
        raise NotFound(f"the runbook has no procedure {slug!r}")
    return found.procedure


def _steps_of(policy: Policy, slug: str, *, mitigation: bool) -> tuple[Sequence[Step], Sequence[str]]:
    """The steps that a procedure or mitigation would run, and the exports that they rely on."""
    if not mitigation:
        written = library.procedure(policy, slug)
        if written is None:
            raise NotFound(f"the runbook has no procedure {slug!r}")
        return written.procedure.steps, written.environment
    action = library.mitigation(policy, slug)
    if action is None:
        raise NotFound(f"the runbook has no mitigation {slug!r}")
    return [as_step(action.mitigation)], action.environment


def _refuse(reasons: Mapping[str, str]) -> None:
    if reasons:
        said = "; ".join(f"{name}: {why}" for name, why in reasons.items())
        raise CommandError(f"a value cannot be used: {said}", dict(reasons))
