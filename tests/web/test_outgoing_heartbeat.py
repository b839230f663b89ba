"""The outgoing heartbeat: only while all is well, and its own trouble said once."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio
from served import Player, playing
from sites import Site

from tocsin.bootstrap.dead_man import NAME, DeadMan

OK = (200, "text/plain", b"OK")


@dataclass
class Beating:
    """A dead man's switch of the site, and what it says."""

    site: Site
    client: httpx.AsyncClient
    troubles: dict[str, str | None] = field(default_factory=dict)

    async def beat(self, url: str) -> bool:
        core, engine = self.site.house.core, self.site.house.engine
        every = timedelta(minutes=1)
        man = DeadMan(url, every, core=core, engine=engine, on_trouble=self.troubles.__setitem__)
        return await man.beat(self.client)

    @property
    def said(self) -> str:
        return str(self.troubles[NAME])


@pytest_asyncio.fixture
async def beating(site: Site) -> AsyncIterator[Beating]:
    async with httpx.AsyncClient(follow_redirects=False, trust_env=False) as client:
        yield Beating(site, client)


async def test_while_all_is_well_the_address_is_asked(beating: Beating) -> None:
    await beating.site.house.engine.tick()
    with playing(OK) as other:
        assert await beating.beat(f"{other.url}/ping/secret")
    assert [(verb, path) for verb, path, _, _ in other.asked] == [("GET", "/ping/secret")]
    assert beating.said == "None"
    assert beating.site.house.core.meters.levels["heartbeat"] == beating.site.clock.now().timestamp()


async def test_an_engine_that_stands_still_is_not_vouched_for(beating: Beating) -> None:
    await beating.site.house.engine.tick()
    beating.site.clock.move(seconds=6)
    with playing(OK) as other:
        assert not await beating.beat(other.url)
    assert other.asked == []
    assert beating.said == "withheld: the engine does not turn"


async def test_a_database_that_refuses_is_not_vouched_for(beating: Beating) -> None:
    await beating.site.house.engine.tick()
    holder = sqlite3.connect(beating.site.store.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with playing(OK) as other:
        assert not await beating.beat(other.url)
    holder.close()
    assert other.asked == []
    assert "withheld: the database refuses to write" in beating.said


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((500, "text/plain", b"no"), "127.0.0.1 answers 500"),
        ((302, "text/plain", b""), "127.0.0.1 answers 302"),
        (None, "127.0.0.1 cannot be reached: RemoteProtocolError"),
    ],
)
async def test_a_ping_that_fails_is_said_without_the_address(
    beating: Beating, answer: tuple[int, str, bytes] | None, said: str
) -> None:
    await beating.site.house.engine.tick()
    other: Player
    with playing(answer) as other:
        assert not await beating.beat(f"{other.url}/ping/secret")
    assert beating.said == said
