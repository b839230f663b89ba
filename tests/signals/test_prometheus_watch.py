from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from listening import Listener, SetClock, running

from tocsin.engine.ports import EvidenceError
from tocsin.incident.alert import AlertStatus
from tocsin.signals.prometheus import PrometheusRule, PrometheusWatch

RULE = PrometheusRule(
    name="HighErrorRate",
    expr="rate(errors[5m]) > 1",
    hold=timedelta(seconds=30),
    every=timedelta(milliseconds=1),
    labels={"severity": "critical"},
    annotations={"summary": "errors"},
)
A = ({"__name__": "errors", "pod": "a"}, 2.5)
B = ({"pod": "b"}, float("nan"))


class Prometheus:
    """Answers a query with `series`, or not at all when that is None."""

    def __init__(self) -> None:
        self.series: Sequence[tuple[Mapping[str, str], float]] | None = ()

    async def query(self, expr: str) -> Sequence[tuple[Mapping[str, str], float]]:
        assert expr == RULE.expr
        if self.series is None:
            raise EvidenceError("Prometheus does not answer")
        return self.series


class Watched:
    def __init__(self) -> None:
        self.prometheus, self.clock, self.listener = Prometheus(), SetClock(), Listener()
        self.watch = PrometheusWatch(
            RULE, self.prometheus.query, emit=self.listener.emit, clock=self.clock, on_trouble=self.listener.on_trouble
        )

    async def sees(self, *series: tuple[Mapping[str, str], float], after: float) -> None:
        self.prometheus.series = series
        self.clock.pass_(after)
        await self.watch.poll()

    async def sees_nothing_at_all(self, *, after: float) -> None:
        self.prometheus.series = None
        self.clock.pass_(after)
        await self.watch.poll()


async def test_each_series_is_an_alert_with_its_labels_once_it_has_held() -> None:
    watched = Watched()
    await watched.sees(A, B, after=0)
    await watched.sees(A, B, after=29)
    assert watched.listener.quiet
    await watched.sees(A, B, after=1)
    first, second = await watched.listener.next(), await watched.listener.next()
    assert first.labels == {"alertname": "HighErrorRate", "pod": "a", "severity": "critical"}
    assert first.annotations == {"summary": "errors", "value": "2.5", "expr": RULE.expr}
    assert (second.labels["pod"], second.annotations["value"]) == ("b", "nan")
    assert first.starts_at == watched.clock.now() - timedelta(seconds=30)


async def test_an_empty_answer_resolves_what_fired() -> None:
    watched = Watched()
    await watched.sees(A, after=0)
    await watched.sees(A, after=30)
    fired = await watched.listener.next()
    await watched.sees(after=15)
    ended = await watched.listener.next()
    assert (ended.status, ended.fingerprint, ended.starts_at) == (
        AlertStatus.RESOLVED, fired.fingerprint, fired.starts_at,
    )  # fmt: skip
    assert ended.ends_at == watched.clock.now()


async def test_a_prometheus_that_does_not_answer_changes_nothing_and_is_told_once() -> None:
    watched = Watched()
    await watched.sees(A, after=0)
    await watched.sees(A, after=30)
    await watched.listener.next()
    await watched.sees_nothing_at_all(after=60)
    await watched.sees_nothing_at_all(after=60)
    await watched.sees(A, after=60)
    assert watched.listener.quiet
    assert watched.listener.troubles == [("HighErrorRate", "Prometheus does not answer"), ("HighErrorRate", None)]


async def test_a_changing_value_does_not_fork_the_alert() -> None:
    watched = Watched()
    await watched.sees(A, after=0)
    await watched.sees((A[0], 9.0), after=30)
    await watched.listener.next()
    await watched.sees((A[0], 10.0), after=30)
    assert watched.listener.quiet


async def test_an_alert_left_firing_by_an_earlier_run_is_resolved_by_its_own_rule_alone() -> None:
    watched = Watched()
    await watched.sees(A, after=0)
    await watched.sees(A, after=30)
    left = await watched.listener.next()
    warning = PrometheusRule(name=RULE.name, expr=RULE.expr, labels={"severity": "warning"})
    for rule in (warning, RULE):
        watched.prometheus.series = ()
        emit, clock = watched.listener.emit, watched.clock
        await PrometheusWatch(rule, watched.prometheus.query, emit=emit, clock=clock, firing=[left]).poll()
    ended = await watched.listener.next()
    assert (ended.status, ended.labels) == (AlertStatus.RESOLVED, left.labels)
    assert watched.listener.quiet


async def test_it_polls_until_it_is_cancelled() -> None:
    watched = Watched()
    watched.prometheus.series = [A]
    async with running(watched.watch.run()) as task:
        watched.clock.pass_(0)
        while watched.listener.quiet:
            watched.clock.pass_(30)
            await watched.watch.poll()
        assert not task.done()
    assert task.cancelled()
