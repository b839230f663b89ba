"""Polls Prometheus with rules of our own, where there is no Alertmanager. Refuses to fetch: it is given `query`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct, field

from tocsin.engine.ports import Clock, EvidenceError
from tocsin.incident.alert import Alert, AlertStatus
from tocsin.signals.thresholds import Pending
from tocsin.signals.watching import Emit, Handover, OnTrouble, Subject, Trouble, log_trouble

SOURCE = "prometheus"

Query = Callable[[str], Awaitable[Sequence[tuple[Mapping[str, str], float]]]]
"""An instant query: expression -> series (labels, value); raises EvidenceError when there is no answer."""


class PrometheusRule(Struct, frozen=True):
    """An alerting rule as Prometheus has it: every series that `expr` returns for `hold` is an alert.

    `labels` go above those of the series.
    """

    name: str
    expr: str
    hold: timedelta = timedelta(0)
    every: timedelta = timedelta(seconds=15)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


class PrometheusWatch:
    """A watcher of one rule.

    No answer changes nothing, neither firing nor resolving, and is told through `on_trouble`. `firing` are alerts that
    an earlier run left firing, so that their end is told too.
    """

    def __init__(
        self,
        rule: PrometheusRule,
        query: Query,
        *,
        emit: Emit,
        clock: Clock,
        on_trouble: OnTrouble = log_trouble,
        firing: Iterable[Alert] = (),
    ) -> None:
        self._rule = rule
        self._query = query
        self._clock = clock
        self._trouble = Trouble(rule.name, on_trouble)
        self._handover = Handover(emit, self._trouble)
        left = [alert for alert in firing if _of_rule(alert, rule)]
        self._subjects = {a.fingerprint: _subject(rule, a.labels) for a in left}
        self._pending = Pending(rule.hold, {a.fingerprint: a.starts_at for a in left})

    async def run(self) -> None:
        """Polls until cancelled."""
        while True:
            await self.poll()
            await asyncio.sleep(self._rule.every.total_seconds())

    async def poll(self) -> None:
        """Asks once and hands over what changed."""
        try:
            series = await self._query(self._rule.expr)
        except EvidenceError as exc:
            self._trouble.is_now(exc.reason)
            return
        self._trouble.is_now(None)
        await self._compare(series, self._clock.now())

    async def _compare(self, series: Sequence[tuple[Mapping[str, str], float]], at: datetime) -> None:
        values: dict[str, float] = {}
        for labels, value in series:
            subject = _subject(self._rule, labels)
            self._subjects[subject.fingerprint] = subject
            values[subject.fingerprint] = value
        began = {key: self._pending.since(key) for key in self._subjects}
        changes = self._pending.observe(values, at)
        for key in changes.fired:
            said = {"summary": self._rule.name} | dict(self._rule.annotations)
            said |= {"value": f"{values[key]:g}", "expr": self._rule.expr}
            await self._handover.give(self._subjects[key].firing(self._pending.since(key) or at, said))
        for key in changes.resolved:
            said = {"summary": f"{self._rule.name}: no longer returned"}
            await self._handover.give(self._subjects[key].resolved(began[key] or at, at, said))
        self._subjects = {key: subject for key, subject in self._subjects.items() if key in values}


def _subject(rule: PrometheusRule, labels: Mapping[str, str]) -> Subject:
    """The alert a series may become: its labels without the metric's name, the rule's own above them."""
    kept = {name: value for name, value in labels.items() if name != "__name__"}
    return Subject(rule.name, source=SOURCE, labels=kept | {"alertname": rule.name} | dict(rule.labels))


def _of_rule(alert: Alert, rule: PrometheusRule) -> bool:
    """Whether this rule, and not one of the same name with other labels, left the alert firing."""
    wanted = {"alertname": rule.name} | dict(rule.labels)
    ours = alert.source == SOURCE and wanted.items() <= alert.labels.items()
    return ours and alert.status is AlertStatus.FIRING
