"""One POST to a configured address, and what its answer means for a delivery. Refuses to know what is posted."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from importlib import import_module

import httpx

from tocsin.channels.text import one_line
from tocsin.engine.ports import DeliveryError

TIMEOUT = 10.0
LONGEST_WAIT = 3600.0
ANSWER_LIMIT = 2048
REASON_LIMIT = 200
WORTH_ANOTHER_TRY = frozenset({408, 425, 429})
GATEWAYS = frozenset({502, 504})
"""A gateway handed the request on and had no usable answer (RFC 9110 15.6.3, 15.6.5): it may have been taken."""


class _Way:
    """How far a request came, as httpcore tells it (its documentation, "trace")."""

    def __init__(self) -> None:
        self.sent = False

    async def trace(self, name: str, info: Mapping[str, object]) -> None:
        self.sent = self.sent or name.endswith(".send_request_headers.started")


class Poster:
    """Posts to one address. Redirects are not followed: a signed body goes where the settings say or nowhere.

    `url` may be a secret (Slack's is): it never shows in `repr`, an error or the log. Raises ValueError for an address
    that cannot be posted to, naming `what` it is of.
    """

    def __init__(self, url: str, *, what: str, timeout: float = TIMEOUT) -> None:
        self._url = _checked(url, what)
        self._what = what
        self._timeout = timeout
        self._client: httpx.AsyncClient | None = None

    def __repr__(self) -> str:
        return f"Poster({self._url.host})"

    async def post(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Returns once the other side answered 2xx; raises DeliveryError, uncertain once the request was on its way."""
        way = _Way()
        try:
            self._client = self._client or quiet_client(self._timeout)
        except OSError as exc:
            reason = (
                f"{self._what}: the certificates to trust (SSL_CERT_FILE, SSL_CERT_DIR) cannot be read: {exc.strerror}"
            )
            raise DeliveryError(one_line(reason, limit=REASON_LIMIT)) from exc
        try:
            async with asyncio.timeout(self._timeout):
                await self._send(self._client, body, headers, way)
        except (TimeoutError, httpx.TimeoutException) as exc:
            reason = f"{self._what}: no answer within {self._timeout:g} s"
            raise DeliveryError(reason, uncertain=way.sent) from exc
        except httpx.HTTPError as exc:
            raise DeliveryError(f"{self._what}: {self._short(exc)}", uncertain=way.sent) from exc

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _send(self, client: httpx.AsyncClient, body: bytes, headers: Mapping[str, str], way: _Way) -> None:
        async with client.stream(
            "POST", self._url, content=body, headers=dict(headers), extensions={"trace": way.trace}
        ) as response:
            if not response.is_success:
                raise self._refusal(response, await _beginning(response))

    def _refusal(self, response: httpx.Response, said: str) -> DeliveryError:
        status = response.status_code
        reason = f"{self._what}: answered {status}" + (f": {said}" if said else "")
        if 300 <= status < 400:
            return DeliveryError(f"{reason}; redirects are not followed, set the final URL", permanent=True)
        if status in WORTH_ANOTHER_TRY or status >= 500:
            wait = retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
            return DeliveryError(reason, retry_after=wait, uncertain=status in GATEWAYS)
        return DeliveryError(reason, permanent=True)

    def _short(self, exc: httpx.HTTPError) -> str:
        return one_line(str(exc).replace(str(self._url), "(url)") or type(exc).__name__, limit=REASON_LIMIT)


def quiet_client(timeout: float) -> httpx.AsyncClient:
    """A client that does not log the addresses it asks: httpx writes each in full at INFO, and Slack's is a secret."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return httpx.AsyncClient(follow_redirects=False, timeout=timeout, verify=trusted())


def trusted() -> ssl.SSLContext:
    """Whom TLS believes: read once, which takes a moment, unless the environment names others (OpenSSL,
    SSL_CERT_FILE)."""
    return _trusted(os.environ.get("SSL_CERT_FILE", ""), os.environ.get("SSL_CERT_DIR", ""))


@lru_cache(maxsize=4)
def _trusted(_file: str, _folder: str) -> ssl.SSLContext:
    return httpx.create_ssl_context()


def load() -> None:
    """Loads what the first post would wait for."""
    for name in ("httpcore", "anyio._backends._asyncio"):
        import_module(name)
    trusted()


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait (RFC 9110 10.2.3: a number of them, or a date), from 0 to an hour; None when it says nothing."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value).replace(tzinfo=UTC) - now).total_seconds()
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), LONGEST_WAIT) if math.isfinite(seconds) else None


async def _beginning(response: httpx.Response) -> str:
    """The first of what the other side said, on one line."""
    said = b""
    async for chunk in response.aiter_bytes():
        said += chunk
        if len(said) >= ANSWER_LIMIT:
            break
    return one_line(said[:ANSWER_LIMIT].decode("utf-8", "replace"), limit=REASON_LIMIT)


def _checked(url: str, what: str) -> httpx.URL:
    try:
        address = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError) as exc:
        raise ValueError(f"{what}: url is not an address") from exc
    port = 80 if address.port is None else address.port
    if address.scheme not in ("http", "https") or not address.host or not 0 < port < 65536:
        raise ValueError(f"{what}: url must begin with http:// or https:// and name a host")
    return address
