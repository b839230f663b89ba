"""Is the runbook still true? Production asked what it claims: on request, and daily while the house stands."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import httpx
import structlog
from msgspec.structs import replace

from tocsin.bootstrap.evidence import kubernetes
from tocsin.bootstrap.house import House
from tocsin.config import Settings
from tocsin.diagnosis.claims import claims
from tocsin.diagnosis.contradictions import contradictions, unasked
from tocsin.diagnosis.live import Tool, Truth
from tocsin.evidence.postgresql import PostgreSql, Server
from tocsin.evidence.prometheus import Prometheus
from tocsin.evidence.surveying import Surveying
from tocsin.procedures.redaction import redact
from tocsin.runbook.model import Runbook
from tocsin.runbook.programs import programs

log = structlog.get_logger()
FIRST = timedelta(minutes=1)
_PROXIES = {"http://": ("http_proxy", "HTTP_PROXY"), "https://": ("https_proxy", "HTTPS_PROXY")}


async def compare(settings: Settings, runbook: Runbook, text: str, *, web: httpx.AsyncClient | None = None) -> Truth:
    """The runbook compared with what production says now. `web` is what asks addresses, for who has one already."""
    said = claims(runbook, text)
    seconds = settings.evidence.timeout.total_seconds()
    client = kubernetes(settings, runbook.environment, now=lambda: datetime.now(UTC))
    async with httpx.AsyncClient(timeout=seconds) as http, web or _web(settings, seconds) as asking:
        surveying = Surveying(
            client=client,
            prometheus=Prometheus(settings.sources.prometheus.url, http) if settings.sources.prometheus else None,
            databases=PostgreSql(
                tuple(Server(s.name, s.url.get_secret_value()) for s in settings.evidence.postgresql),
                timeout=seconds,
                redact=redact,
            ),
            web=asking,
            now=lambda: datetime.now(UTC),
        )
        live = await surveying.live(said, _tools(settings, runbook))
    if client is not None:
        await client.close()
    return Truth(live.at, contradictions(said, live), unasked(live))


def _web(settings: Settings, seconds: float) -> httpx.AsyncClient:
    """A client that goes where the steps' curl goes: through the proxies of their environment."""
    mounts = {}
    for scheme, names in _PROXIES.items():
        proxy = next((v.get_secret_value() for n in names if (v := settings.procedures.environment.get(n))), "")
        if proxy:
            mounts[scheme] = httpx.AsyncHTTPTransport(proxy=proxy)
    return httpx.AsyncClient(timeout=seconds, mounts=mounts, follow_redirects=True)


def _tools(settings: Settings, runbook: Runbook) -> Sequence[Tool]:
    """The programs of the steps, where they are run by this process; a runner's machine has its own."""
    if settings.runner.where == "remote":
        return ()
    own = settings.procedures.environment.get("PATH")
    path = own.get_secret_value() if own else os.environ.get("PATH", os.defpath)
    return [Tool(name, line, shutil.which(name, path=path) is not None) for name, line in programs(runbook).items()]


class LiveCheck:
    """Compares so often as the settings say; the last result stays on the house, as a notice: nobody is woken for a
    document."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._every = house.settings.evidence.check.every

    async def run(self) -> None:
        """Until cancelled; the first comparison a minute after the start, when everything has had time to come up."""
        await asyncio.sleep(min(FIRST, self._every).total_seconds())
        while True:
            await self.look()
            await asyncio.sleep(self._every.total_seconds())

    async def look(self) -> Truth:
        """Compares every runbook now, keeps the results, and says what was not true before; the main one's result."""
        house = self._house
        for name in house.others:
            house.truths[name] = await self._compared(name)
        house.truth = await self._compared("")
        return house.truth

    async def _compared(self, name: str) -> Truth:
        house, last = self._house, self._house.truth_of(name)
        reading, text = house.runbooks()[name]
        found = await compare(house.settings, reading.runbook, text)
        before = {(f.code, f.message) for f in last.findings} if last else set()
        new = tuple(f for f in found.findings if (f.code, f.message) not in before)
        if new:
            file = reading.runbook.file
            said = "; ".join(f"{file}:{f.line}: {f.message}" for f in new[:5])
            log.warning("runbook_contradicted", new=len(new), all=len(found.findings), first=said)
        return replace(found, new=new)
