"""A browser in front of the site: signed in, sending forms as a browser does, without any JavaScript."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from html import unescape
from typing import Any

import httpx
import pytest

from tocsin.incident.policy import Role

HTML = {"Accept": "text/html,application/xhtml+xml"}


@dataclass
class Browser:
    """`get` and `send` follow no redirects; `send` adds the proof that the form is ours, as the page holds it."""

    client: httpx.AsyncClient
    csrf: str

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers=HTML | headers)

    async def send(self, path: str, *, htmx: bool = False, **fields: str) -> httpx.Response:
        headers = HTML | ({"HX-Request": "true", "Tocsin-After": "0"} if htmx else {})
        return await self.client.post(path, data={"csrf": self.csrf} | fields, headers=headers)


Opened = Callable[..., Awaitable[Browser]]


@pytest.fixture
def browse(site: Any) -> Opened:
    """`await browse()`: a browser signed in as Ana, or as another name or role."""

    async def open_browser(role: Role = Role.RESPONDER, *, name: str = "Ana") -> Browser:
        client = await site.signed_in(role, name=name)
        return Browser(client, site.house.credentials.csrf(client.cookies["tocsin_session"]))

    return open_browser


@pytest.fixture
def shown() -> Callable[[httpx.Response], str]:
    """The text a reader sees: tags out, entities back, blanks collapsed."""

    def text(answer: httpx.Response) -> str:
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", answer.text)).split())

    return text
