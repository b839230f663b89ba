"""Asks a health address at a steady pace and says when it begins and ceases to fail. Refuses to judge."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

import httpx
from msgspec import Struct, field

from tocsin.engine.ports import Clock
from tocsin.incident.alert import Alert
from tocsin.signals.thresholds import Threshold, Transition
from tocsin.signals.watching import Emit, Handover, OnTrouble, Subject, Trouble, firing_since, log_trouble

SOURCE = "probe"
REASON_LIMIT = 300


class HealthCheck(Struct, frozen=True):
    """What to ask and how often. `expect` are the good status codes; empty means every one below 400."""

    name: str
    url: str
    every: timedelta = timedelta(seconds=15)
    timeout: timedelta = timedelta(seconds=5)
    fails: int = 3
    passes: int = 2
    expect: tuple[int, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


class Probe:
    """A watcher of one address.

    `firing` are alerts that an earlier run left firing, so that their end is told too. Raises ValueError for a check
    that cannot be made.
    """

    def __init__(
        self,
        check: HealthCheck,
        *,
        emit: Emit,
        clock: Clock,
        on_trouble: OnTrouble = log_trouble,
        firing: Iterable[Alert] = (),
    ) -> None:
        self._address = _checked(check)
        self._check = check
        self._clock = clock
        self._shown = str(self._address.copy_with(userinfo=b"", query=None))
        self._subject = Subject(check.name, source=SOURCE, labels=check.labels, url=self._shown)
        self._handover = Handover(emit, Trouble(check.name, on_trouble))
        since = firing_since(firing, self._subject.fingerprint)
        self._threshold = Threshold(fails=check.fails, passes=check.passes, firing_since=since)

    async def run(self) -> None:
        """Probes until cancelled; an answer that does not come is a failed probe, nothing more."""
        logging.getLogger("httpx").setLevel(logging.WARNING)  # at INFO it writes every address, tokens and all
        async with httpx.AsyncClient(follow_redirects=False, timeout=self._check.timeout.total_seconds()) as client:
            while True:
                await self._observe(await self._ask(client), self._clock.now())
                await asyncio.sleep(self._check.every.total_seconds())

    async def _observe(self, failure: str | None, at: datetime) -> None:
        began = self._threshold.firing_since
        change = self._threshold.observe(failure is None, at)
        since = self._threshold.firing_since or began
        if change is None or since is None:
            return
        if change is Transition.FIRED:
            said = {"summary": f"{self._check.name}: {self._shown} is failing", "reason": failure or ""}
            await self._handover.give(self._subject.firing(since, said))
        else:
            said = {"summary": f"{self._check.name}: {self._shown} answers again"}
            await self._handover.give(self._subject.resolved(since, at, said))

    async def _ask(self, client: httpx.AsyncClient) -> str | None:
        """Why the probe failed, None when it passed. The body is not read: the status is the answer."""
        seconds = self._check.timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds), client.stream("GET", self._address) as response:
                return _refused(response.status_code, self._check.expect)
        except (TimeoutError, httpx.TimeoutException):
            return f"no answer within {seconds:g} s"
        except httpx.HTTPError as exc:
            return (str(exc) or type(exc).__name__)[:REASON_LIMIT]


def _refused(status: int, expect: Collection[int]) -> str | None:
    good = status in expect if expect else status < 400
    return None if good else f"answered {status}"


def _checked(check: HealthCheck) -> httpx.URL:
    try:
        address = httpx.URL(check.url)
    except httpx.InvalidURL as exc:
        raise ValueError(f"probe {check.name}: url: {exc}") from exc
    if address.scheme not in ("http", "https") or not address.host:
        raise ValueError(f"probe {check.name}: url must begin with http:// or https:// and name a host")
    if address.port is not None and not 0 < address.port < 65536:
        raise ValueError(f"probe {check.name}: url: there is no port {address.port}")
    if check.fails < 1 or check.passes < 1:
        raise ValueError(f"probe {check.name}: fails and passes must be at least 1")
    return address
