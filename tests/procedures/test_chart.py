from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.engine.ports import EvidenceError, StepReport
from tocsin.procedures.adapter import StepRunner
from tocsin.procedures.chart import svg
from tocsin.procedures.runner import Runner
from tocsin.runbook.shell import split_fence


class Trace(NamedTuple):
    labels: dict[str, str]
    points: tuple[tuple[float, float], ...]


class Sampled(NamedTuple):
    labels: dict[str, str]
    value: float


class Prometheus:
    """Answers one series, now and over time; over time it fails when told to."""

    def __init__(self, *, fails: bool = False) -> None:
        self._fails = fails
        self.asked: list[tuple[datetime, datetime, timedelta]] = []

    async def query(self, expr: str) -> Sequence[Sampled]:
        return [Sampled({"job": "backend"}, 1.0)]

    async def trace(self, expr: str, *, start: datetime, end: datetime, step: timedelta) -> Sequence[Trace]:
        self.asked.append((start, end, step))
        if self._fails:
            raise EvidenceError("Prometheus: no answer within 10 s")
        return [Trace({"job": "backend"}, ((0.0, 1.0), (20.0, 2.0)))]


async def asked(prometheus: Prometheus) -> StepReport:
    steps = split_fence("# Prometheus query: up", line=1).steps
    reports: list[StepReport] = []
    await StepRunner(Runner(), prometheus).run(
        list(enumerate(steps, start=1)), environment=(), values={}, side_by_side=False, approved=False,
        report=reports.append,
    )  # fmt: skip
    return reports[0]


async def test_a_query_is_drawn_over_the_half_hour_before_it() -> None:
    prometheus = Prometheus()
    report = await asked(prometheus)
    assert (report.outcome, report.chart[:4]) == ("ok", "<svg")
    ((start, end, _),) = prometheus.asked
    assert end - start == timedelta(minutes=30)


async def test_without_a_range_the_step_is_as_good() -> None:
    report = await asked(Prometheus(fails=True))
    assert (report.outcome, report.chart) == ("ok", "")


def test_nothing_finite_is_nothing_to_draw() -> None:
    assert svg("up", []) == ""
    assert svg("up", [Trace({}, ((0.0, float("nan")), (1.0, float("inf"))))]) == ""


def test_words_are_escaped() -> None:
    chart = svg('<script>alert("1")</script>', [Trace({"a": "</title><script>"}, ((0.0, 1.0),))])
    assert "<script" not in chart
    ElementTree.fromstring(chart)


def test_it_says_from_when_to_when_and_which_line_is_which() -> None:
    chart = svg("up", [Trace({"job": "a"}, ((3600.0, 1.0), (5400.0, 2.0))), Trace({"job": "b"}, ((3600.0, 3.0),))])
    assert ">01:00:00<" in chart
    assert ">01:30:00 UTC<" in chart
    assert ">job=a; job=b<" in chart


VALUES = st.floats(allow_nan=True, allow_infinity=True)


@given(st.text(max_size=80), st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=2), st.lists(VALUES))
@settings(max_examples=40, deadline=None)
def test_whatever_it_is_given_it_is_well_formed(title: str, labels: dict[str, str], values: list[float]) -> None:
    chart = svg(title, [Trace(labels, tuple((float(n), v) for n, v in enumerate(values)))] * 10)
    assert "nan" not in chart.partition("<path")[2].partition(">")[0]
    if chart:
        ElementTree.fromstring(chart)
