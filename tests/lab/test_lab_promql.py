"""The gateway's Prometheus: expressions, refusals, and the text format, over samples made by hand."""

import contextlib
import json
import math
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.lab.counters import Counters, Sample, series
from tocsin.lab.production import Production
from tocsin.lab.promql import Point, Query, QueryError, Value, increase, over_time, quantile

GOOD, BAD = (series("http_requests_total", service="backend", status=status) for status in ("200", "500"))
SAMPLES = [Sample(float(at), {GOOD: 3.0 * at, BAD: 1.0 * at}) for at in range(61)]


def evaluate(text: str) -> Value:
    """The value at second 60, of which 60 seconds have 3 good requests and a bad one each."""
    return Query(text, SAMPLES, now=60.0).value()


def test_the_rate_of_a_steady_counter_is_its_slope() -> None:
    found = evaluate('rate(http_requests_total{status=~"5.."}[30s])')
    assert isinstance(found, dict)
    assert list(found.values()) == [pytest.approx(1.0)]
    assert dict(next(iter(found)))["status"] == "500"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('sum(rate(http_requests_total{status=~"5.."}[30s])) / sum(rate(http_requests_total[30s]))', 0.25),
        ('100 * sum(rate(http_requests_total{status!~"2.."}[30s])) / sum(rate(http_requests_total[30s]))', 25.0),
        ('sum by (service) (increase(http_requests_total{service="backend"}[30s]))', 120.0),
        ("sum(http_requests_total) without (status)", 240.0),
        ("sum(http_requests_total) > 239", 240.0),
    ],
)
def test_ratios_and_sums_are_understood(text: str, expected: float) -> None:
    found = evaluate(text)
    assert isinstance(found, dict)
    assert [pytest.approx(value) for value in found.values()] == [expected]


def test_a_comparison_drops_what_does_not_meet_it() -> None:
    assert evaluate("sum(http_requests_total) > 240") == {}


def test_scalars_are_scalars() -> None:
    assert evaluate("(1 + 2) * 3") == 9.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rate(",
        "rate(http_requests_total)",
        "nonsense(up)",
        'up{a="1"',
        "up offset 5m",
        "1 +",
        "up[5m]",
        'up{a=~"("}',
        "§",
    ],
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(QueryError):
        evaluate(text)


@given(st.text(alphabet='ratesum()[]{}="~5m ,./*+-<>hp_', max_size=40))
def test_any_text_has_a_value_or_is_refused(text: str) -> None:
    with contextlib.suppress(QueryError):
        assert isinstance(evaluate(text), float | dict)


@given(st.integers(2, 40), st.floats(0.1, 50))
def test_an_increase_is_never_less_than_what_was_seen(count: int, slope: float) -> None:
    points = [Point(float(at), slope * at) for at in range(count)]
    grown = increase(points, now=float(count - 1), seconds=float(count))
    assert grown is not None
    assert grown >= points[-1].value - points[0].value or math.isclose(grown, points[-1].value)


def test_a_counter_that_began_again_has_grown() -> None:
    points = [Point(0.0, 10.0), Point(1.0, 12.0), Point(2.0, 1.0), Point(3.0, 3.0)]
    assert increase(points, now=3.0, seconds=3.0) == pytest.approx(5.0)


def test_a_series_that_is_scraped_no_more_is_gone() -> None:
    samples = [Sample(0.0, {GOOD: 1.0, BAD: 1.0}), Sample(1.0, {GOOD: 2.0})]
    found = Query("http_requests_total", samples, now=1.0).value()
    assert isinstance(found, dict)
    assert len(found) == 1


def test_fewer_than_two_samples_give_no_rate() -> None:
    assert increase([Point(1.0, 1.0)], now=1.0, seconds=5.0) is None
    assert increase([Point(0.0, 0.0), Point(1.0, 1.0)], now=1.0, seconds=1.0) == pytest.approx(1.0)


def test_counters_are_exposed_in_the_text_format() -> None:
    counters = Counters()
    counters.count(500, 0.03, now=1.0, pod="backend-1")
    text = counters.exposition()
    assert "# TYPE http_requests_total counter\n" in text
    assert (
        '\nhttp_requests_total{job="gateway",namespace="production",pod="backend-1",service="backend",status="500"} 1\n'
        in text
    )
    assert text.count("# TYPE http_request_duration_seconds histogram\n") == 1
    assert counters.recent_error_ratio(5, now=2.0) == 1.0
    assert counters.recent_error_ratio(5, now=7.0) is None


def ask(production: Production, expression: str) -> tuple[int, dict[str, object]]:
    """Status and body of an instant query."""
    url = f"{production.prometheus_url}/api/v1/query?query={urllib.parse.quote(expression)}"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def test_the_runbooks_query_is_answered_over_http(production: Production) -> None:
    status, body = ask(production, 'rate(http_requests_total{status=~"5.."}[5m])')
    assert (status, body["status"]) == (200, "success")


def test_a_bad_query_is_answered_as_prometheus_does(production: Production) -> None:
    status, body = ask(production, "rate(")
    assert (status, body["status"], body["errorType"]) == (400, "error", "bad_data")
    assert str(body["error"]).startswith('invalid parameter "query": 1:6: parse error')


def test_the_gateway_is_no_proxy_to_anywhere_else(production: Production) -> None:
    command = ["curl", "-s", "-x", production.prometheus_url, "http://elsewhere.example/"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    assert json.loads(done.stdout) == {"error": "the practice production has no host elsewhere.example"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("avg(http_requests_total)", 120.0),
        ("max(http_requests_total) - min(http_requests_total)", 120.0),
        ("count(http_requests_total)", 2.0),
        ("sum(irate(http_requests_total[30s]))", 4.0),
        ("sum(nothing) or sum(http_requests_total)", 240.0),
        ("sum(http_requests_total) unless sum(nothing)", 240.0),
        ("-sum(http_requests_total) + 250", 10.0),
    ],
)
def test_more_of_the_language_is_understood(text: str, expected: float) -> None:
    found = evaluate(text)
    assert isinstance(found, dict)
    assert list(found.values()) == [pytest.approx(expected)]


def test_a_quantile_lies_evenly_in_its_bucket() -> None:
    buckets = [(0.1, 50.0), (0.5, 90.0), (float("inf"), 100.0)]
    assert quantile(0.5, buckets) == pytest.approx(0.1)
    assert quantile(0.7, buckets) == pytest.approx(0.3)
    assert quantile(0.99, buckets) == 0.5
    assert math.isnan(quantile(0.5, buckets[:2]))


def test_a_range_has_a_value_at_both_ends_and_each_step_between() -> None:
    found = over_time("sum(rate(http_requests_total[10s]))", SAMPLES, start=20, end=60, step=20)
    assert [[point.at for point in points] for points in found.values()] == [[20, 40, 60]]
    assert all(point.value == pytest.approx(4) for points in found.values() for point in points)


def test_a_range_begins_where_there_is_something_to_tell() -> None:
    (points,) = over_time('http_requests_total{status="500"}', SAMPLES, start=-40, end=40, step=20).values()
    assert [(point.at, point.value) for point in points] == [(0, 0), (20, 20), (40, 40)]


@pytest.mark.parametrize(("end", "step"), [(60.0, 0.0), (60.0, -1.0), (-1.0, 1.0), (12000.0, 1.0)])
def test_a_range_that_makes_no_sense_is_refused(end: float, step: float) -> None:
    with pytest.raises(QueryError):
        over_time("http_requests_total", SAMPLES, start=0, end=end, step=step)
