"""Loki's lines: each once, in order, the late ones too."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from listening import SetClock
from recorders import Answer, HttpRecorder

from tocsin.signals.errors import SourceError
from tocsin.signals.loki import LokiAddress, LokiLines

CLOCK = SetClock()
NOW = int(CLOCK.at.timestamp() * 1e9)


def answer(*entries: tuple[float, str], pod: str = "cart-1") -> Answer:
    """Entries are (seconds after the start, line)."""
    values = [[str(NOW + int(at * 1e9)), line] for at, line in entries]
    stream = {"stream": {"app": "cart", "pod": pod}, "values": values}
    return Answer(
        body=json.dumps({"status": "success", "data": {"resultType": "streams", "result": [stream]}}).encode()
    )


def lines(http: HttpRecorder, *, mark: bool = False) -> LokiLines:
    address = LokiAddress(http.url, token="s3cret", tenant="shop")
    return LokiLines(address, '{app="cart"}', clock=CLOCK, mark=mark, every=timedelta(milliseconds=1))


async def test_each_line_comes_once_and_a_late_one_too() -> None:
    first, again = answer((1, "one"), (20, "two")), answer((15, "late"), (20, "two"), (21, "three"))
    async with HttpRecorder(first, again) as http:
        found = lines(http)
        assert await found.more() == ["one", "two"]
        assert await found.more() == ["late", "three"]
        assert await found.more() == []
        await found.close()
    asked = [parse_qs(urlsplit(r.path).query) for r in http.requests]
    assert [q["start"][0] for q in asked] == [str(NOW), str(NOW + 10 * 10**9), str(NOW + 11 * 10**9)]
    assert asked[0]["query"] == ['{app="cart"}']
    assert (http.requests[0].headers["authorization"], http.requests[0].headers["x-scope-orgid"]) == (
        "Bearer s3cret",
        "shop",
    )


async def test_what_was_written_before_the_start_is_left_out() -> None:
    async with HttpRecorder(answer((-1, "old"), (0, "new"))) as http:
        found = lines(http)
        assert await found.more() == ["new"]
        await found.close()


async def test_marked_lines_carry_their_pod() -> None:
    async with HttpRecorder(answer((1, "one"))) as http:
        found = lines(http, mark=True)
        assert await found.more() == ["[stream/cart-1] one"]
        await found.close()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (Answer(400, b"parse error at line 1"), "Loki answered 400: parse error at line 1"),
        (Answer(body=b"not json"), "Loki's answer holds no lines"),
        (Answer(body=b'{"data":{"resultType":"matrix","result":[{"metric":{}}]}}'), "Loki's answer holds no lines"),
    ],
)
async def test_no_usable_answer_is_trouble(said: Answer, reason: str) -> None:
    async with HttpRecorder(said) as http:
        found = lines(http)
        with pytest.raises(SourceError, match=reason):
            await found.more()
        await found.close()


async def test_a_loki_nobody_reaches_is_trouble_and_no_secret_is_shown() -> None:
    async with HttpRecorder() as http:
        gone = lines(http)
    with pytest.raises(SourceError, match="cannot be reached"):
        await gone.more()
    await gone.close()
    assert "s3cret" not in repr(LokiAddress("http://loki:3100", token="s3cret"))
