"""Merging, splitting and relating incidents: each one transaction, over both incidents at once.

Beside `Desk`, where people act on one incident. Alerts move with their rows: whoever repeats or resolves one later
finds the incident that goes on. Which incident has taken a service over is kept as a setting, as the timelines say it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tocsin.engine.core import Core, new_id
from tocsin.engine.errors import NotFound
from tocsin.engine.joining import remember
from tocsin.engine.ledger import Ledger
from tocsin.engine.records import AlertRecord
from tocsin.engine.triage import Triage
from tocsin.incident import commands, merging, relating, steps
from tocsin.incident.alert import AlertStatus
from tocsin.incident.errors import CommandError
from tocsin.incident.merging import Moved
from tocsin.incident.policy import TOCSIN, Actor, Context, Policy
from tocsin.incident.state import Incident, Status

MOST_SPLIT = 1000
"""So many alerts are split off in one go; who has more to split has another trouble with the grouping."""
NEWEST = 50
"""Open incidents that are looked at for what belongs together."""


class Merging:
    """Every method is one transaction, durable when it returns."""

    def __init__(self, core: Core, triage: Triage) -> None:
        self._core = core
        self._triage = triage

    async def merge(self, ref: str, actor: Actor, *, into: str, reason: str = "") -> Incident:
        """Makes one incident part of another; the one that goes on. Merged into it already, nothing changes."""
        return await self._core.transact(lambda ledger: merge(ledger, ref, actor, into=into, reason=reason))

    async def split(
        self, ref: str, actor: Actor, *, alerts: Sequence[str], title: str = "", reason: str = ""
    ) -> Incident:  # fmt: skip
        """Makes some of its alerts, by fingerprint, an incident of their own; that incident."""
        id_ = new_id()

        def split_(ledger: Ledger) -> Incident:
            chosen = _chosen(ledger, ledger.get(ref), alerts)
            return split(ledger, ref, actor, _Part(chosen, title, reason, id_), triage=self._triage)

        return await self._core.transact(split_)

    async def unrelated(self, ref: str, actor: Actor, *, other: str, reason: str = "") -> Incident:
        """A person says that the two have nothing to do with each other; the first incident."""

        def deny(ledger: Ledger) -> Incident:
            found = ledger.get(other)
            return ledger.decide(ref, actor, lambda i, ctx: merging.unrelated(i, found, reason=reason))

        return await self._core.transact(deny)

    async def related(self, incident: Incident) -> tuple[relating.Related, ...]:
        """Open incidents that may be one trouble with it, the likeliest first; none for one that is over."""
        if incident.status.over:
            return ()
        others = await self._core.read(lambda tx: tx.incidents(over=False, limit=NEWEST))
        needs = self._core.policies.current.rules.depends_on
        return relating.related(incident, others, depends_on=needs)

    async def surviving(self, incident: Incident) -> Incident:
        """The incident that this one is part of now: itself, unless it was merged."""

        while incident.merged_into is not None:
            into = incident.merged_into.id
            found = await self._core.read(lambda tx: tx.incident(into))  # noqa: B023  awaited at once
            if found is None:
                raise NotFound(f"no incident {into}")
            incident = found
        return incident


def merge(ledger: Ledger, ref: str, actor: Actor, *, into: str, reason: str = "") -> Incident:
    """The incident that goes on. Raises CommandError and TransitionError, changing nothing."""
    one, other = ledger.get(ref), ledger.get(into)
    if one.merged_into is not None and one.merged_into.id == other.id:
        return other
    merging.refuse(one, other)
    moved = Moved(*ledger.tx.move_alerts(one.id, other.id))
    left = ledger.append(one, merging.leaving(one, other, ledger.context(one, TOCSIN)), actor=TOCSIN.name)
    ledger.append(left, (merging.merged(other, reason=reason),), actor=actor.name)
    other = ledger.append(other, (merging.absorbed(one, other, moved, reason=reason),), actor=actor.name)
    owner = merging.owner_of(one, other)
    if owner:
        ctx = ledger.context(other, Actor(owner))
        other = ledger.append(other, commands.acknowledge(other, ctx, via="merge"), actor=owner)
    follows = merging.afterwards(one, other, ledger.context(other, TOCSIN))
    other = ledger.append(other, follows, actor=TOCSIN.name)
    remember(ledger, other)
    return other


class _Part(msgspec.Struct, frozen=True):
    """The alerts that are split off, firing ones first, and what a person called them; `id` of the new incident."""

    chosen: Sequence[AlertRecord]
    title: str
    reason: str
    id: str


def split(ledger: Ledger, ref: str, actor: Actor, part: _Part, *, triage: Triage) -> Incident:
    """The incident that begins. It is owned by who owned the whole, and pages as every other when nobody did."""
    whole = ledger.get(ref)
    commands.refuse_over(whole)
    policy = ledger.policies.of(whole)
    first = part.chosen[0].alert
    severity, why = _severity(part.chosen, whole, triage, policy)
    said = commands.opened(
        Context(ledger.now, actor, policy),
        title=part.title.strip() or first.summary,
        severity=severity,
        severity_reason=why,
        service=triage.service_of(first) or whole.service,
        source=first.source,
        first_role=whole.first_role,
        labels=first.labels,
        drill=whole.drill,
        after_quiet=whole.after_quiet,
        quiet=whole.quiet,
    )
    begun = ledger.open(part.id, said, actor=actor.name)
    moved = Moved(*ledger.tx.move_alerts(whole.id, begun.id, [r.alert.fingerprint for r in part.chosen]))
    ledger.append(whole, (merging.split_off(whole, begun, moved, reason=part.reason),), actor=actor.name)
    begun = ledger.append(begun, (merging.split_from(whole, moved),), actor=actor.name)
    return _first_moves(ledger, begun, whole)


def _first_moves(ledger: Ledger, begun: Incident, whole: Incident) -> Incident:
    owner = whole.commander or whole.acknowledged_by
    if whole.status is Status.OPEN or not owner:
        ctx = ledger.context(begun, TOCSIN)
        return ledger.append(begun, commands.first_moves(begun, ctx), actor=TOCSIN.name)
    owned = commands.acknowledge(begun, ledger.context(begun, Actor(owner)), via="split")
    begun = ledger.append(begun, owned, actor=owner)
    ctx = ledger.context(begun, TOCSIN)
    follows = (
        *steps.post(begun, ctx, "Initial Alert"),
        *steps.publish(begun, ctx, begun.status),
        *steps.assessment(begun, ctx),
    )
    return ledger.append(begun, follows, actor=TOCSIN.name)


def _chosen(ledger: Ledger, whole: Incident, fingerprints: Sequence[str]) -> list[AlertRecord]:
    """The alerts of those fingerprints, firing ones first. Raises CommandError for one that the incident has not, and
    where nothing would be left."""
    wanted = list(dict.fromkeys(fingerprints))
    if not 0 < len(wanted) <= MOST_SPLIT:
        raise CommandError(
            f"choose 1 to {MOST_SPLIT} alerts to split off", {"alerts": f"1 to {MOST_SPLIT} fingerprints"}
        )
    records = [ledger.tx.alert(f) for f in wanted]
    mine = [r for r in records if r is not None and r.incident_id == whole.id]
    if len(mine) < len(wanted):
        have = {r.alert.fingerprint for r in mine}
        missing = next(f for f in wanted if f not in have)
        raise CommandError(
            f"#{whole.number} has no alert {missing!r}", {"alerts": f"{missing} is not of this incident"}
        )
    if not ledger.tx.alerts(incident_id=whole.id, skip=len(mine), limit=1):
        raise CommandError("these are all of its alerts: nothing would be left", {"alerts": "leave at least one"})
    return sorted(mine, key=lambda r: (r.alert.status is not AlertStatus.FIRING, r.first_seen_at))


def _severity(chosen: Sequence[AlertRecord], whole: Incident, triage: Triage, policy: Policy) -> tuple[str, str]:
    """The severest that an alert of the part suggests, under the runbook of the whole."""
    names = [level.name for level in policy.runbook.severities]
    suggested = [s for r in chosen if (s := triage.severity_of(r.alert, policy)) is not None and s[0] in names]
    severity, why = min(suggested, key=lambda s: names.index(s[0]), default=(whole.severity, "as it was there"))
    return severity, f"split from #{whole.number}: {why}"
