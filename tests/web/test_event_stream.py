"""The stream: every entry as it commits, pings between, a clean end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from sites import Site

from tocsin.engine.core import Committed
from tocsin.web.stream import as_events


def data(event: bytes) -> dict[str, Any]:
    lines = dict(line.split(": ", 1) for line in event.decode().strip().split("\n"))
    found: dict[str, Any] = json.loads(lines["data"])
    assert lines["id"] == f"{found['incident']}:{found['seq']}"
    return found


async def following(site: Site, ping: float = 60) -> AsyncIterator[bytes]:
    """The stream, once it says that it follows."""
    events = as_events(site.house.desk.follow(), ping=ping)
    assert (await anext(events)).startswith(b":")
    return events


async def test_every_entry_of_every_incident_comes_as_it_commits(site: Site) -> None:
    events = await following(site)
    await site.declare()
    await site.declare(title="two\nlines")
    first = data(await anext(events))
    assert (first["incident"], first["seq"], first["type"], first["status"]) == (1, 1, "Opened", "open")
    assert first["text"].startswith("Ana opened")
    while data(await anext(events))["incident"] != 2:
        pass


async def test_silence_is_filled_with_pings(site: Site) -> None:
    events = await following(site, ping=0.01)
    assert await anext(events) == b": ping\n\n"
    await site.declare()
    while (event := await anext(events)) == b": ping\n\n":
        pass
    assert data(event)["type"] == "Opened"


async def test_the_stream_ends_when_the_server_stops(site: Site) -> None:
    events = await following(site)
    site.house.core.stop_followers()
    assert [event async for event in events] == []


async def test_who_goes_away_follows_no_more() -> None:
    gone = asyncio.Event()

    async def silent() -> AsyncGenerator[Committed]:
        try:
            await asyncio.Event().wait()
            yield await anext(silent())
        finally:
            gone.set()

    events = as_events(silent(), ping=60)
    await anext(events)
    await events.aclose()
    assert gone.is_set()


async def test_it_is_sent_over_http_as_server_sent_events(site: Site) -> None:
    async def stop_again_and_again() -> None:
        while True:
            await asyncio.sleep(0.01)
            site.house.core.stop_followers()

    stopping = asyncio.create_task(stop_again_and_again())
    answer = await site.ask.get("/api/v1/stream")
    stopping.cancel()
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.text.startswith(":")
