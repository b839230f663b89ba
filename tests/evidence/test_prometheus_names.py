"""Which metrics there are, samples as they were scraped, and what is found among the usual counters of requests."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx
import pytest
from recorders import Answer, HttpRecorder

from tocsin.diagnosis.facts import Facts, Pod, Series, Signal, Subject, Taken
from tocsin.engine.ports import EvidenceError
from tocsin.evidence.measuring import Measuring, named
from tocsin.evidence.prometheus import Prometheus

AT = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)


def listed(*names: str) -> Answer:
    return Answer(body=json.dumps({"status": "success", "data": list(names)}).encode())


def matrix(*series: tuple[dict[str, str], list[tuple[float, str]]]) -> Answer:
    result = [{"metric": labels, "values": values} for labels, values in series]
    return Answer(body=json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode())


async def test_the_names_are_asked_of_the_label() -> None:
    async with HttpRecorder(listed("up", "http_requests_total")) as http, httpx.AsyncClient() as client:
        assert await Prometheus(http.url, client).names() == {"up", "http_requests_total"}
        assert http.requests[0].path.endswith("/api/v1/label/__name__/values")


@pytest.mark.parametrize("answer", [
    Answer(status=503, body=b"<html>"), Answer(body=b'{"status": "error", "error": "no"}'), Answer(body=b"[]"),
])  # fmt: skip
async def test_names_that_cannot_be_had_are_an_error_and_not_none(answer: Answer) -> None:
    async with HttpRecorder(answer) as http, httpx.AsyncClient() as client:
        with pytest.raises(EvidenceError):
            await Prometheus(http.url, client).names()


async def test_samples_come_as_they_were_scraped() -> None:
    async with HttpRecorder(matrix(({"job": "x"}, [(1.0, "1"), (2.0, "0")]))) as http, httpx.AsyncClient() as client:
        found = await Prometheus(http.url, client).samples("up[1m]")
    assert found[0].points == ((1.0, 1.0), (2.0, 0.0))


async def test_without_a_known_counter_the_settings_are_named() -> None:
    async with HttpRecorder(listed("go_threads")) as http, httpx.AsyncClient() as client:
        facts = await Measuring(Prometheus(http.url, client)).look(Facts(at=AT, reported_at=AT))
    assert facts.series.trouble


def test_a_pods_address_becomes_its_name_and_a_gateways_tells_no_pods_apart() -> None:
    series = tuple(Series(Signal.REQUESTS, ((1.0, 1.0),), pod=address) for address in ("10.0.0.7", "10.9.9.9"))
    pods = (Pod("backend-6d4f-abcde", "production", "backend", address="10.0.0.7"),)
    facts = Facts(AT, AT, Subject(), series=Taken(series, AT), pods=Taken(pods, AT))
    assert [s.pod for s in named(facts).series.items] == ["backend-6d4f-abcde", ""]
