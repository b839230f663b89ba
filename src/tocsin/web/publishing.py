"""The public page written out as static files, so that it reads while Tocsin is away: the very page that is served."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import aclosing, suppress
from pathlib import Path

import httpx
from fastapi import FastAPI

from tocsin.bootstrap.house import House
from tocsin.statuspage.errors import PublishError
from tocsin.statuspage.publish import INDEX, publish
from tocsin.web.pages.rendering import STATIC
from tocsin.web.public import Published

AGAIN_SECONDS = 60.0
"""How often the files are renewed when nothing happens: their "as of" says how old they are."""
SETTLE_SECONDS = 0.2
ASSETS = ("tocsin.css", "tocsin.js", "icon.svg")
NAME = "status page"
_LINK = re.compile(r'(href|src)="/(static/[\w.-]+)(?:\?[^"]*)?"')


class Publisher:
    """Writes into `folder` at once, after every commit and every minute; what it cannot write it tells as a trouble."""

    def __init__(self, app: FastAPI, house: House, folder: Path) -> None:
        self._app = app
        self._house = house
        self._folder = folder
        self._published: Published = app.state.published

    async def run(self) -> None:
        """Until cancelled."""
        changed = asyncio.Event()
        following = asyncio.create_task(self._follow(changed))
        try:
            while True:
                changed.clear()
                await self.write()
                # not wait_for: in Python 3.11 it can lose the cancel that comes with the wake
                with suppress(TimeoutError):
                    async with asyncio.timeout(AGAIN_SECONDS):
                        await changed.wait()
                    await asyncio.sleep(SETTLE_SECONDS)
        finally:
            following.cancel()

    async def write(self) -> None:
        """Renews every file once."""
        try:
            await asyncio.to_thread(publish, self._folder, await self._contents())
        except (PublishError, httpx.HTTPError) as exc:
            self._house.troubles[NAME] = str(exc)
        else:
            self._house.troubles.pop(NAME, None)

    async def _contents(self) -> Mapping[str, bytes]:
        """Documents and assets first, the page itself last."""
        assets = {f"static/{name}": (STATIC / name).read_bytes() for name in ASSETS}
        documents = await self._published.documents()
        return {**assets, **documents, INDEX: (await self._page()).encode()}

    async def _page(self) -> str:
        """The page as served, its links made relative to the folder, or absolute where they lead back to us."""
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url=self._house.settings.public_url) as client:
            answer = (await client.get("/status")).raise_for_status()
        home = self._house.settings.public_url.rstrip("/")
        text = _LINK.sub(r'\1="\2"', answer.text).replace('href="/status/feed.atom"', 'href="feed.atom"')
        return text.replace('href="/report"', f'href="{home}/report"').replace('href="/status"', 'href="./"')

    async def _follow(self, changed: asyncio.Event) -> None:
        while True:
            async with aclosing(self._house.core.follow()) as committed:
                async for _ in committed:
                    changed.set()
            await asyncio.sleep(1)
