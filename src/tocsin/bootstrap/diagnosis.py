"""The diagnosis put together: what it asks, what it is about, and the look before a mitigation is approved."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from tocsin.bootstrap.evidence import gathering, kubernetes, limits, subject
from tocsin.config import Settings
from tocsin.diagnosis import preflight
from tocsin.diagnosis.facts import Facts, Subject
from tocsin.engine.desk import Desk
from tocsin.engine.diagnosing import Diagnosing, Settled
from tocsin.engine.ports import Choices, Cluster
from tocsin.evidence.affected import Affected, OnTrouble
from tocsin.evidence.gathering import Gathering
from tocsin.evidence.prometheus import Prometheus
from tocsin.incident.mitigations import Footing
from tocsin.incident.preflight import Check
from tocsin.procedures.targets import target
from tocsin.runbook.model import Placeholder, Step

PATIENCE_SECONDS = 3.0
FRESH_SECONDS = 3.0
_ELSEWHERE = re.compile(r"--(?:context|kubeconfig|cluster|server)\b|\bKUBECONFIG=")
"""The command goes to a cluster of its own, which is not the one that is asked here."""
_REPLICAS = re.compile(r"--replicas[= ](\d+)")


def witness(
    settings: Settings, environment: Sequence[str], *, prometheus: Prometheus | None, now: Callable[[], datetime]
) -> Gathering | None:
    """What is asked for evidence; None where there is nothing to ask, or the settings say so."""
    asked = settings.evidence
    there = kubernetes(settings, environment, now=now) or prometheus or asked.postgresql or asked.redis
    if not asked.enabled or not there:
        return None
    return gathering(settings, environment, prometheus=prometheus, now=now)


def affected(
    settings: Settings, *, prometheus: Prometheus | None, now: Callable[[], datetime], on_trouble: OnTrouble
) -> Affected | None:
    """What measures the share of users affected; None where no query for it is set."""
    common = settings.evidence.prometheus.affected
    queries = {name: s.affected for name, s in settings.services.items() if s.affected} | (
        {"": common} if common else {}
    )
    if prometheus is None or not settings.evidence.enabled or not queries:
        return None
    return Affected(prometheus.query, queries, now=now, on_trouble=on_trouble)


def diagnosing(settings: Settings, desk: Desk, found: Gathering) -> Diagnosing:
    """The worker that answers open questions from what `found` gathers."""
    about = Settled(
        lambda service, alerts: subject(settings, service, alerts), act, limits(settings), settings.evidence.every,
        desk.triage.impact_of,
    )  # fmt: skip
    return Diagnosing(desk, found, about)


def act(command: str, values: Mapping[str, str]) -> preflight.Act | None:
    """What a command does to a workload; None when it is not one of the three, or names none."""
    named = target(command)
    if named is None:
        return None
    name = values.get(named.name[1:-1], "") if named.name.startswith("<") else named.name
    verb = next((v for word, v in _VERBS.items() if re.search(rf"\b{word}\b", command)), None)
    if verb is None or not name:
        return None
    wanted = _REPLICAS.search(command)
    return preflight.Act(verb, named.kind, name, int(wanted[1]) if wanted else None)


_VERBS = {"undo": preflight.Verb.UNDO, "restart": preflight.Verb.RESTART, "scale": preflight.Verb.SCALE}


class Examined:
    """A cluster whose footing carries what was looked at before: whether the mitigation would help, and hold."""

    def __init__(self, cluster: Cluster, found: Gathering) -> None:
        self._cluster = cluster
        self._found = found
        self._kept: dict[str, tuple[float, Facts]] = {}

    async def footing(self, step: Step, *, environment: Sequence[str], values: Mapping[str, str]) -> Footing:
        """Where the step would act, with the checks. They take no longer than `PATIENCE_SECONDS`."""
        does = act(step.command, values)
        if does is None or _ELSEWHERE.search(step.command):
            return await self._cluster.footing(step, environment=environment, values=values)
        named = target(step.command)
        where = named.namespace if named else ""
        where = values.get(where[1:-1], "") if where.startswith("<") else where
        footing, facts = await asyncio.gather(
            self._cluster.footing(step, environment=environment, values=values), self._facts(does, where)
        )
        if facts is None:
            slow = Check("look", preflight.UNKNOWN, f"the cluster did not answer within {PATIENCE_SECONDS:g} s")
            return replace(footing, checks=(slow,))
        return replace(footing, checks=preflight.before(does, facts), template=preflight.template_of(does, facts))

    async def choices(self, placeholder: Placeholder, step: Step, *, environment: Sequence[str]) -> Choices:
        return await self._cluster.choices(placeholder, step, environment=environment)

    async def _facts(self, does: preflight.Act, where: str) -> Facts | None:
        """What the mitigation stands on; the same answer for a moment: proposing and approving ask in turn."""
        key = f"{where} {does.kind} {does.name}"
        at, kept = self._kept.get(key, (0.0, None))
        if kept is not None and time.monotonic() - at < FRESH_SECONDS:
            return kept
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                facts = await self._found.standing(Subject("", where, does.kind, does.name))
        except TimeoutError:
            return None
        self._kept = {key: (time.monotonic(), facts)}
        return facts
