"""Looks at the cluster that commands act on, by kubectl that only reads: context, target, names to choose from.

It asks with the environment of the document whose step it is about, so that it sees the cluster that the step would.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

from tocsin.engine.ports import Choices
from tocsin.incident.mitigations import NOWHERE, Footing
from tocsin.procedures.results import Outcome, StepResult
from tocsin.procedures.run import refusal
from tocsin.procedures.runner import Runner
from tocsin.procedures.targets import Target, asks_cluster, namespace, target
from tocsin.procedures.values import check_value
from tocsin.runbook.model import Placeholder, Step, StepClass, StepKind

PATIENCE = timedelta(seconds=5)
FRESH_SECONDS = 5.0
MOST = 500
UNKNOWN = "unknown"
_CONTEXT = "kubectl config current-context"
_SERVER = "kubectl config view --minify -o 'jsonpath={.clusters[0].cluster.server}'"
_ITS_OWN = re.compile(r"--(?:context|kubeconfig|cluster|server)[= ]\S+|\bKUBECONFIG=\S+")
_LISTED = {"pod": "pods", "deployment": "deployments", "namespace": "namespaces", "node": "nodes"}
_OF_NAMESPACE = ("pod", "deployment")
_NAMESPACE = Placeholder("namespace", "namespace")
_NAME = Placeholder("name", "name")


class KubectlCluster:
    """The cluster as `runner` reaches it. Answers are kept for `FRESH_SECONDS`, so that many viewers ask it once."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._kept: dict[tuple[str, ...], tuple[float, asyncio.Task[Choices]]] = {}

    async def footing(self, step: Step, *, environment: Sequence[str], values: Mapping[str, str]) -> Footing:
        """Where the step would act: "CONTEXT (SERVER)" and "deployment/NAME in NAMESPACE, generation N"."""
        if not asks_cluster(step.command):
            return NOWHERE
        named = _filled(target(step.command), values)
        context, (about, replicas) = await asyncio.gather(self._context(environment), self._target(named, environment))
        if own := _ITS_OWN.findall(step.command):
            context = f"as the command itself says: {' '.join(own)}"
        return Footing(context, about, replicas)

    async def choices(self, placeholder: Placeholder, step: Step, *, environment: Sequence[str]) -> Choices:
        """The names that the cluster has for a pod, deployment, namespace or node; of the step's own namespace."""
        listed = _LISTED.get(placeholder.type)
        if listed is None or placeholder.refused:
            return Choices(reason=placeholder.refused or f"there is no list of every {placeholder.type}")
        where = namespace(step.command) if placeholder.type in _OF_NAMESPACE else ""
        if where.startswith("<"):
            return Choices(reason=f"the {listed} depend on {where}: give it first")
        key = (listed, where, *environment)
        at, asked = self._kept.get(key, (0.0, None))
        if asked is None or time.monotonic() - at > FRESH_SECONDS:
            self._kept = {k: v for k, v in self._kept.items() if time.monotonic() - v[0] <= FRESH_SECONDS}
            asked = asyncio.ensure_future(self._list(listed, where, environment))
            self._kept[key] = (time.monotonic(), asked)
        found = await asyncio.shield(asked)
        return Choices(tuple(v for v in found.values if check_value(placeholder, v) is None), found.reason)

    async def _list(self, listed: str, where: str, environment: Sequence[str]) -> Choices:
        within = " -n <namespace>" if where else ""
        given = {"namespace": where} if where else {}
        said = await self._ask(f"kubectl get {listed}{within} -o name", environment, given)
        if said.outcome is not Outcome.OK:
            none = said.outcome is Outcome.NOTHING_FOUND
            return Choices(reason=f"there are no {listed}" if none else f"the {listed} cannot be listed: {said.reason}")
        names = [line.rpartition("/")[2].strip() for line in said.stdout.splitlines() if line.strip()]
        return Choices(tuple(sorted(names)[:MOST]), "" if names else f"there are no {listed}")

    async def _context(self, environment: Sequence[str]) -> str:
        named, at = await asyncio.gather(self._ask(_CONTEXT, environment, {}), self._ask(_SERVER, environment, {}))
        name, server = named.stdout.strip(), at.stdout.strip() if at.exit_code == 0 else ""
        if named.exit_code != 0 or not name:
            return UNKNOWN
        return f"{name} ({server})" if server else name

    async def _target(self, named: Target | None, environment: Sequence[str]) -> tuple[str, int | None]:
        """What the command acts on, in words that change when it does, and how many replicas it has."""
        if named is None:
            return "", None
        within = " -n <namespace>" if named.namespace else ""
        given = {"name": named.name} | ({"namespace": named.namespace} if named.namespace else {})
        said = await self._ask(f"kubectl get {named.kind} <name>{within} -o json", environment, given)
        place = f"{named.kind}/{named.name}" + (f" in {named.namespace}" if named.namespace else "")
        try:
            found = json.loads(said.stdout) if said.exit_code == 0 else {}
            about, replicas = found["metadata"], found.get("spec", {}).get("replicas")
            seen = f"{place}, generation {int(about['generation'])}"
            return seen, replicas if isinstance(replicas, int) else None
        except (ValueError, TypeError, KeyError, AttributeError):
            return f"{place}, generation {UNKNOWN}", None

    async def _ask(self, command: str, environment: Sequence[str], values: Mapping[str, str]) -> StepResult:
        asked = tuple(p for p in (_NAME, _NAMESPACE) if p.name in values)
        step = Step("", StepKind.SHELL, command, 1, StepClass.READ, asked, 0)
        if refused := refusal(step, environment, approved=False):
            return self._runner.without_running(step, Outcome.REFUSED, refused)
        return await self._runner.run_step(step, environment=environment, values=values, limit=PATIENCE)


def _filled(found: Target | None, values: Mapping[str, str]) -> Target | None:
    """The target with the values of its placeholders; None when one is missing."""
    if found is None:
        return None
    name, where = (values.get(w[1:-1], "") if w.startswith("<") else w for w in (found.name, found.namespace))
    return Target(found.kind, name, where) if name and (where or not found.namespace) else None
