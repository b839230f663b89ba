"""Asks an address at a steady pace and says when it begins and ceases to fail. Refuses to judge.

`http://` and `https://` fetch, `tcp://HOST:PORT` connects, `tls://HOST:PORT` looks at the certificate, `dns://NAME`
resolves.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import httpx
from msgspec import Struct, field

from tocsin.engine.ports import Clock
from tocsin.incident.alert import Alert
from tocsin.signals.reaching import RECORDS, NotReached, certificate_holds, name_server, opens, resolves
from tocsin.signals.thresholds import Threshold, Transition
from tocsin.signals.watching import Emit, Handover, OnTrouble, Subject, Trouble, firing_since, log_trouble

SOURCE = "probe"
REASON_LIMIT = 300
SCHEMES = ("http", "https", "tcp", "tls", "dns")
TLS_PORT = 443

Ask = Callable[[], Awaitable[None]]
"""Returns when the probe passed; raises NotReached."""


class HealthCheck(Struct, frozen=True):
    """What to ask and how often. `fails` failures fire, in a row or among the last `of`; `passes` in a row resolve.

    An answer that takes longer than `latency` is a failure. `expect` are the good status codes of HTTP; empty means
    every one below 400. `tls` fails when the certificate expires `expires_within`, or with `verify` when a browser
    would refuse it. `dns` asks `server` for the `record`, and every one of `answers` must be there.
    """

    name: str
    url: str
    every: timedelta = timedelta(seconds=15)
    timeout: timedelta = timedelta(seconds=5)
    fails: int = 3
    of: int | None = None
    passes: int = 2
    latency: timedelta | None = None
    expect: tuple[int, ...] = ()
    expires_within: timedelta = timedelta(days=14)
    verify: bool = True
    record: str = "A"
    server: str = ""
    answers: tuple[str, ...] = ()
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
        link = self._shown if self._address.scheme in ("http", "https") else ""
        self._subject = Subject(check.name, source=SOURCE, labels=check.labels, url=link)
        self._handover = Handover(emit, Trouble(check.name, on_trouble))
        since = firing_since(firing, self._subject.fingerprint)
        self._threshold = Threshold(fails=check.fails, of=check.of, passes=check.passes, firing_since=since)

    async def run(self) -> None:
        """Probes until cancelled; an answer that does not come is a failed probe, nothing more."""
        async with self._asking() as ask:
            while True:
                await self._observe(await self._failure(ask), self._clock.now())
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

    async def _failure(self, ask: Ask) -> str | None:
        """Why the probe failed, None when it passed."""
        loop = asyncio.get_running_loop()
        seconds, began = self._check.timeout.total_seconds(), loop.time()
        try:
            async with asyncio.timeout(seconds):
                await ask()
        except TimeoutError:
            return f"no answer within {seconds:g} s"
        except NotReached as exc:
            return exc.reason[:REASON_LIMIT]
        took, limit = loop.time() - began, self._check.latency
        if limit is not None and took > limit.total_seconds():
            return f"the answer took {took:.2f} s, more than {limit.total_seconds():g} s"
        return None

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Ask]:
        """How this address is asked."""
        check, host, port = self._check, self._address.host, self._address.port
        seconds = check.timeout.total_seconds()
        if self._address.scheme == "tcp":
            yield lambda: opens(host, port or 0)
        elif self._address.scheme == "tls":
            yield lambda: certificate_holds(
                host, port or TLS_PORT, within=check.expires_within, now=self._clock.now(), verify=check.verify
            )
        elif self._address.scheme == "dns":
            yield lambda: resolves(host, check.record, expect=check.answers, server=check.server, seconds=seconds)
        else:
            logging.getLogger("httpx").setLevel(logging.WARNING)  # at INFO it writes every address, tokens and all
            async with httpx.AsyncClient(follow_redirects=False, timeout=seconds, verify=check.verify) as client:
                yield lambda: self._fetch(client)

    async def _fetch(self, client: httpx.AsyncClient) -> None:
        """The body is not read: the status is the answer."""
        try:
            async with client.stream("GET", self._address) as response:
                refused = _refused(response.status_code, self._check.expect)
        except httpx.TimeoutException as exc:
            raise TimeoutError from exc
        except httpx.HTTPError as exc:
            raise NotReached(str(exc) or type(exc).__name__) from exc
        if refused:
            raise NotReached(refused)


def _refused(status: int, expect: Collection[int]) -> str | None:
    good = status in expect if expect else status < 400
    return None if good else f"answered {status}"


def _checked(check: HealthCheck) -> httpx.URL:
    try:
        address = httpx.URL(check.url)
    except httpx.InvalidURL as exc:
        raise ValueError(f"probe {check.name}: url: {exc}") from exc
    if address.scheme not in SCHEMES or not address.host:
        raise ValueError(
            f"probe {check.name}: url must begin with http://, https://, tcp://, tls:// or dns:// and a host"
        )
    if address.port is not None and not 0 < address.port < 65536:
        raise ValueError(f"probe {check.name}: url: there is no port {address.port}")
    if address.scheme == "tcp" and address.port is None:
        raise ValueError(f"probe {check.name}: url must name a port, like tcp://db:5432")
    if check.fails < 1 or check.passes < 1 or (check.of is not None and check.of < check.fails):
        raise ValueError(f"probe {check.name}: fails and passes must be at least 1, and of no less than fails")
    if check.record not in RECORDS:
        raise ValueError(f"probe {check.name}: record must be one of {', '.join(RECORDS)}")
    if check.server:
        name_server(check.server)
    return address
