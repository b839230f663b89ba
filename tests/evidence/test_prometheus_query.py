from __future__ import annotations

import asyncio
import json
import math
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorders import Answer, HttpRecorder

from tocsin.engine.ports import EvidenceError
from tocsin.evidence.prometheus import NOTHING, SHOWN, Prometheus, Sample, Vector, describe


def success(kind: str, result: object) -> Answer:
    return Answer(body=json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode())


async def asked(answer: Answer, *, within: float = 10, path: str = "", limit: int = 10_000) -> tuple[Vector, str]:
    """The vector, and the path that was asked."""
    async with HttpRecorder(answer) as http, httpx.AsyncClient() as client:
        prometheus = Prometheus(http.url + path, client, timeout=within, answer_limit=limit)
        vector = await prometheus.query('up{job="a b"} > 0')
        return vector, http.requests[0].path


async def failing(answer: Answer, *, within: float = 10, limit: int = 10_000) -> str:
    with pytest.raises(EvidenceError) as caught:
        await asked(answer, within=within, limit=limit)
    return caught.value.reason


async def test_a_vector_gives_labels_and_values() -> None:
    answer = success("vector", [{"metric": {"__name__": "up", "job": "a"}, "value": [1767600000.123, "1.5"]}])
    vector, path = await asked(answer)
    assert vector == (Sample({"__name__": "up", "job": "a"}, 1.5),)
    assert urlsplit(path).path == "/api/v1/query"
    assert parse_qs(urlsplit(path).query)["query"] == ['up{job="a b"} > 0']


async def test_an_address_with_a_path_keeps_it() -> None:
    _, path = await asked(success("vector", []), path="/prometheus/")
    assert urlsplit(path).path == "/prometheus/api/v1/query"


async def test_no_series_is_an_empty_vector_and_not_an_error() -> None:
    assert (await asked(success("vector", [])))[0] == ()


async def test_a_scalar_is_one_sample_without_labels() -> None:
    assert (await asked(success("scalar", [1767600000, "3"])))[0] == (Sample({}, 3.0),)


async def test_values_that_are_no_finite_numbers_are_read() -> None:
    series = [{"metric": {}, "value": [1, said]} for said in ("NaN", "+Inf", "-Inf")]
    values = [sample.value for sample in (await asked(success("vector", series)))[0]]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf]


async def test_a_refused_expression_says_why_in_prometheus_words() -> None:
    body = b'{"status":"error","errorType":"bad_data","error":"1:3: parse error: unexpected end of input"}'
    assert await failing(Answer(400, body)) == "Prometheus: 1:3: parse error: unexpected end of input"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (success("matrix", []), "gives a matrix"),
        (success("vector", [{"metric": {}, "histogram": [1, {}]}]), "native histogram"),
        (success("vector", [{"metric": {}, "value": [1, "many"]}]), "not a number"),
        (success("vector", 5), "a shape it should not have"),
        (Answer(502, b"<html>"), "answered 502 with something that is not its JSON"),
        (Answer(200, b'{"status":"success"}'), "answered 200"),
        (Answer(200, b"[" * 100_000), "over 10000 bytes"),
    ],
)
async def test_an_answer_that_cannot_be_used_says_so(answer: Answer, said: str) -> None:
    assert said in await failing(answer)


async def test_an_answer_is_read_up_to_its_limit_and_no_further() -> None:
    answer = success("vector", [])
    size = len(answer.body)
    assert (await asked(answer, limit=size))[0] == ()
    assert f"over {size - 1} bytes" in await failing(answer, limit=size - 1)


async def test_a_server_that_does_not_answer_in_time_is_an_error() -> None:
    assert await failing(Answer(hang=True), within=0.05) == "Prometheus: no answer within 0.05 s"


async def test_nobody_listening_is_an_error() -> None:
    async with HttpRecorder() as http:
        gone = http.url
    async with httpx.AsyncClient() as client:
        with pytest.raises(EvidenceError):
            await Prometheus(gone, client).query("up")


def test_an_empty_vector_is_not_described_as_zero() -> None:
    assert describe(()) == NOTHING == "no series matched (this is not zero)"


def test_series_are_described_as_prometheus_writes_them() -> None:
    vector = (
        Sample({"status": "500"}, 1.23),
        Sample({"__name__": "up", "job": 'a "b"\n', "zone": "x"}, 1),
        Sample({"__name__": "up"}, math.nan),
        Sample({}, -math.inf),
        Sample({"__name__": "http.requests", "k8s.pod": "a"}, 2),
    )
    assert describe(vector).split("\n") == [
        '{status="500"} 1.23', 'up{job="a \\"b\\"\\n", zone="x"} 1', "up NaN", "{} -Inf",
        '{"http.requests", "k8s.pod"="a"} 2',
    ]  # fmt: skip


def test_a_description_is_bounded() -> None:
    sample = Sample({}, 1)
    assert describe((sample,) * SHOWN).count("\n") == SHOWN - 1
    assert describe((sample,) * (SHOWN + 7)).endswith("\n... and 7 more series")


@given(st.lists(st.tuples(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3), st.floats())))
def test_every_series_is_one_line(series: list[tuple[dict[str, str], float]]) -> None:
    vector = tuple(Sample(labels, value) for labels, value in series)
    assert len(describe(vector).split("\n")) == max(len(vector), 1)


@pytest.fixture
async def real(tmp_path: Path) -> AsyncIterator[str]:
    """A real Prometheus that scrapes nothing."""
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("needs the prometheus program")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "prometheus.yml"
    config.write_text("global: {}\n")
    process = await asyncio.create_subprocess_exec(
        binary, f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await _ready(f"http://127.0.0.1:{port}/-/ready")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()


async def _ready(url: str) -> None:
    async with asyncio.timeout(30), httpx.AsyncClient() as client:
        while True:
            try:
                if (await client.get(url)).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


@pytest.mark.e2e
async def test_the_real_prometheus_is_understood(real: str) -> None:
    async with httpx.AsyncClient() as client:
        prometheus = Prometheus(real, client)
        labelled = await prometheus.query('label_replace(vector(1.5), "status", "500", "", "")')
        assert describe(labelled) == '{status="500"} 1.5'
        assert await prometheus.query("absent_metric") == ()
        assert describe(await prometheus.query("1/0")) == "{} +Inf"
        with pytest.raises(EvidenceError, match="parse error"):
            await prometheus.query("sum(")
        with pytest.raises(EvidenceError, match="gives a matrix"):
            await prometheus.query("up[5m]")
