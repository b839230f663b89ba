"""Talks to the server: one request, one answer, every failure one line with its remedy. Refuses to show anything."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import msgspec
from msgspec import Struct

T = TypeVar("T")
DEFAULT_URL = "http://127.0.0.1:8080"
TIMEOUT = httpx.Timeout(30, connect=5)
RETRY_AFTER_SECONDS = 0.3
EVENTS = "text/event-stream"
_TOKEN_REMEDY = "set TOCSIN_TOKEN to one made with `tocsin token create NAME`"  # noqa: S105 - words, not a token
_BROKEN_CONNECTION = (httpx.NetworkError, httpx.RemoteProtocolError)
_BEYOND_ANSWER = 400


class ServerError(Exception):
    """The server is not there, or refused. `str()` is the line to show; `fields` are what it found wrong, by name.

    `status` is the HTTP status, 0 when there was no usable answer.
    """

    def __init__(self, line: str, *, status: int = 0, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(line)
        self.status = status
        self.fields = dict(fields or {})


class Reason(Struct, frozen=True):
    name: str = ""
    reason: str = ""


class Problem(Struct, frozen=True):
    """RFC 9457, as far as a line on a terminal needs it."""

    detail: str = ""
    title: str = ""
    errors: tuple[Reason, ...] = ()


class Answer:
    """What the server said, not looked at yet."""

    def __init__(self, body: bytes, url: str) -> None:
        self.body = body
        self._url = url

    def read(self, kind: type[T]) -> T:
        """The body as `kind`. Raises ServerError for anything else."""
        try:
            return msgspec.json.decode(self.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ServerError(_not_ours(self._url)) from None


class Client:
    """One server. Requests that change something carry an Idempotency-Key, so that asking twice does it once."""

    def __init__(self, url: str, token: str = "") -> None:
        """Raises ServerError for an address or a token that cannot be used."""
        if "@" in url:
            raise ServerError(
                f"TOCSIN_URL holds a name or a password: write it like {DEFAULT_URL}, and set TOCSIN_TOKEN"
            )
        self.url = url.rstrip("/")
        if not _usable(self.url):
            raise ServerError(f"TOCSIN_URL is {url!r}: write it like {DEFAULT_URL}")
        if not token.isascii() or not token.isprintable():
            raise ServerError(f"TOCSIN_TOKEN holds characters that no token has: {_TOKEN_REMEDY}")
        headers = {"Accept": "application/json", "User-Agent": "tocsin-cli"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(timeout=TIMEOUT, headers=headers, verify=_trusted(self.url))

    @classmethod
    def from_environment(cls) -> Self:
        """The server that TOCSIN_URL and TOCSIN_TOKEN name."""
        return cls(os.environ.get("TOCSIN_URL", "").strip() or DEFAULT_URL, os.environ.get("TOCSIN_TOKEN", "").strip())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **query: str | int | None) -> Answer:
        """What stands at `path` below `/api/v1`. Raises ServerError."""
        asked = {k: v for k, v in query.items() if v is not None and v != ""}
        return self._send("GET", path, params=asked)

    def post(self, path: str, body: Mapping[str, object] | None = None) -> Answer:
        """Asks for a change; values that are None or empty are left out. Raises ServerError."""
        said = {k: v for k, v in (body or {}).items() if v is not None and v != ""}
        return self._send("POST", path, json=said, headers={"Idempotency-Key": str(uuid4())})

    def delete(self, path: str) -> Answer:
        """Takes back what stands at `path`. Raises ServerError."""
        return self._send("DELETE", path)

    def events(self, path: str) -> Iterator[tuple[str, bytes]]:
        """(event, data) of a stream of the server's, as they come, until it ends. Raises ServerError."""
        try:
            with self._http.stream("GET", f"{self.url}/api/v1{path}", headers={"Accept": EVENTS}) as answer:
                if not answer.is_success or not answer.headers.get("content-type", "").startswith(EVENTS):
                    raise ServerError(_not_ours(self.url), status=answer.status_code)
                yield from _events(answer.iter_lines())
        except httpx.HTTPError as exc:
            raise ServerError(f"no more is heard from {self.url} ({_reason(exc)})") from None

    def _send(self, method: str, path: str, **options: Any) -> Answer:
        url = f"{self.url}/api/v1{path}"
        try:
            answer = self._twice(method, url, options)
        except httpx.TimeoutException:
            raise ServerError(
                f"{self.url} did not answer in time: look whether it did it (tocsin timeline) before asking again"
            ) from None
        except httpx.HTTPError as exc:
            why = _reason(exc)
            raise ServerError(
                f"no server at {self.url} ({why}): start it with `tocsin serve`, or set TOCSIN_URL"
            ) from None
        if answer.status_code >= _BEYOND_ANSWER or answer.is_redirect:
            raise self._refusal(answer)
        return Answer(answer.content, self.url)

    def _twice(self, method: str, url: str, options: Mapping[str, Any]) -> httpx.Response:
        try:
            return self._http.request(method, url, **options)
        except _BROKEN_CONNECTION:
            time.sleep(RETRY_AFTER_SECONDS)  # a server that is just being restarted
            return self._http.request(method, url, **options)

    def _refusal(self, answer: httpx.Response) -> ServerError:
        status = answer.status_code
        try:
            problem = msgspec.json.decode(answer.content, type=Problem)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return ServerError(f"{_not_ours(self.url)} (HTTP {status})", status=status)
        said = problem.detail or problem.title or f"HTTP {status}"
        fields = {e.name: e.reason for e in problem.errors}
        return ServerError(_with_remedy(status, said, fields), status=status, fields=fields)


def _with_remedy(status: int, said: str, fields: Mapping[str, str]) -> str:
    if status == httpx.codes.UNAUTHORIZED:
        return f"the server does not know you: {_TOKEN_REMEDY}"
    if status == httpx.codes.FORBIDDEN:
        return f"{said}: use the token of somebody who may"
    if status == httpx.codes.UNPROCESSABLE_ENTITY:
        unsaid = [f"{name}: {why}" for name, why in fields.items() if not _is_said(name, why, said)]
        return f"{said} ({'; '.join(unsaid)})" if unsaid else said
    if status == httpx.codes.SERVICE_UNAVAILABLE:
        return f"{said}: try again in a moment"
    return said


def _events(lines: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """The events of a stream, each with its name; comments are passed over (HTML standard, 9.2.6)."""
    kind, data = "message", ""
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "data":
            data += value
        elif not line and data:
            yield kind, data.encode()
            kind, data = "message", ""


def absent(why: str) -> bool:
    """Whether that is the API's reason for a value that was simply not given."""
    return why.startswith("needed by")


def _is_said(name: str, why: str, said: str) -> bool:
    return name in said and (why in said or absent(why))


def _reason(exc: httpx.HTTPError) -> str:
    """The driver's own words in one line, without the number in brackets that the operating system puts before them."""
    words = " ".join(str(exc).split()) or type(exc).__name__
    return words.partition("] ")[2] or words


def _not_ours(url: str) -> str:
    return f"{url} answered something that is not Tocsin's: check TOCSIN_URL"


def _trusted(url: str) -> ssl.SSLContext | bool:
    """The usual authorities for https; none at all for http, where reading them in would take longer than asking."""
    return True if url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _usable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:
        return False
