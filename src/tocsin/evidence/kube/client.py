"""Reads lists of a Kubernetes API through kr8s: each page by page, bounded, with why it could not be had."""

from __future__ import annotations

import asyncio
import os
import tempfile
import warnings
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import msgspec
from msgspec import Struct

from tocsin.diagnosis.facts import MEASURED, Taken
from tocsin.engine.ports import EvidenceError
from tocsin.evidence.kube.values import Json, inside, listed

if TYPE_CHECKING:
    from kr8s.asyncio import Api

PAGE = 500
PAGES = 4
LARGEST = 32 * 1024 * 1024
"""Bytes of one page; a list of objects with huge annotations is cut rather than read."""
T = TypeVar("T")
Now = Callable[[], datetime]


class Resource(Struct, frozen=True):
    """A list of the API: its group and version, its plural. Not `namespaced` is of the whole cluster."""

    version: str
    plural: str
    namespaced: bool = True


class Answer(Struct, frozen=True):
    """One list as it came. `shift` is what must be added to its instants to have them on our clock."""

    objects: tuple[Json, ...]
    at: datetime
    truncated: bool
    shift: timedelta


class Missing(EvidenceError):
    """The API has no such kind (404 of a list)."""


class Client:
    """One cluster. `kubeconfig` and `context` say which, empty for the usual one."""

    def __init__(
        self, *, kubeconfig: str = "", context: str = "", timeout: float = 5.0, now: Now | None = None
    ) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._timeout = timeout
        self._now = now or (lambda: datetime.now(UTC))
        self._api: Api | None = None
        self._opening = asyncio.Lock()

    def __repr__(self) -> str:
        return f"Client({self._context or 'current context'})"

    async def close(self) -> None:
        """Ends the connections; the next question opens new ones."""
        api, self._api = self._api, None
        session = getattr(api, "_session", None)  # kr8s has no word of its own for it
        if session is not None:
            await session.aclose()
        if api is not None:
            _forget(api)

    async def namespace(self) -> str:
        """The namespace that the kubeconfig's context names, else "default"."""
        return str((await self._connected()).namespace or "default")

    async def objects(self, resource: Resource, namespace: str = "", *, labels: str = "") -> Answer:
        """The list, at most `PAGES` pages of it. Raises EvidenceError with the reason in one line."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._pages(resource, namespace if resource.namespaced else "", labels)
        except TimeoutError as exc:
            raise EvidenceError(f"no answer within {self._timeout:g} s") from exc

    async def one(self, resource: Resource, name: str, namespace: str = "") -> Json | None:
        """One object; None when there is none of that name."""
        try:
            async with asyncio.timeout(self._timeout):
                body, _ = await self._get(resource.version, namespace, f"{resource.plural}/{name}", {})
        except Missing:
            return None
        except TimeoutError as exc:
            raise EvidenceError(f"no answer within {self._timeout:g} s") from exc
        return _decoded(body)

    async def text(self, resource: Resource, path: str, namespace: str, params: Mapping[str, str]) -> str:
        """A sub-resource as text, e.g. a pod's log."""
        try:
            async with asyncio.timeout(self._timeout):
                body, _ = await self._get(resource.version, namespace, f"{resource.plural}/{path}", params)
        except TimeoutError as exc:
            raise EvidenceError(f"no answer within {self._timeout:g} s") from exc
        return body.decode("utf-8", "replace")

    async def allowed(self, *, verb: str, group: str, resource: str, namespace: str, sub: str = "") -> bool:
        """Whether we may do that, by a SelfSubjectAccessReview, as `kubectl auth can-i` asks."""
        asked = {"verb": verb, "group": group, "resource": resource, "namespace": namespace}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked | ({"subresource": sub} if sub else {})},
        }
        try:
            async with asyncio.timeout(self._timeout):
                body, _ = await self._ask(
                    "POST", "authorization.k8s.io/v1", "", "selfsubjectaccessreviews", json=review
                )
        except TimeoutError as exc:
            raise EvidenceError(f"no answer within {self._timeout:g} s") from exc
        return bool(inside(_decoded(body), "status").get("allowed"))

    async def _pages(self, resource: Resource, namespace: str, labels: str) -> Answer:
        params = {"limit": str(PAGE)} | ({"labelSelector": labels} if labels else {})
        objects: list[Json] = []
        shift, more = timedelta(0), ""
        for _ in range(PAGES):
            body, shift = await self._get(
                resource.version, namespace, resource.plural, params | ({"continue": more} if more else {})
            )
            found = _decoded(body)
            objects += listed(found.get("items"))
            more = str(inside(found, "metadata").get("continue") or "")
            if not more:
                break
        return Answer(tuple(objects), self._now(), bool(more), shift)

    async def _get(self, version: str, namespace: str, url: str, params: Mapping[str, str]) -> tuple[bytes, timedelta]:
        return await self._ask("GET", version, namespace, url, params=dict(params))

    async def _ask(self, method: str, version: str, namespace: str, url: str, **more: Any) -> tuple[bytes, timedelta]:
        """The answer's body, and how far our clock is ahead of the server's. Credentials are renewed once."""
        api = await self._connected()
        for again in (True, False):
            try:
                async with api.call_api(
                    method, version=version, namespace=namespace or None, url=url, raise_for_status=False, **more
                ) as response:
                    if response.status_code == httpx.codes.UNAUTHORIZED and again:
                        await api.reauthenticate()
                        continue
                    return _checked(response), self._shift(response)
            except (httpx.HTTPError, OSError, ValueError) as exc:
                raise EvidenceError(f"Kubernetes: {_one_line(exc)}") from exc
            except EvidenceError:
                raise
            except Exception as exc:  # kr8s's own errors have no root of theirs
                raise EvidenceError(f"Kubernetes: {_one_line(exc)}") from exc
        raise EvidenceError("Kubernetes: the credentials are not accepted")

    def _shift(self, response: httpx.Response) -> timedelta:
        """What our clock is ahead, when that is more than the header's seconds can hide."""
        try:
            theirs = parsedate_to_datetime(response.headers.get("date", ""))
        except (TypeError, ValueError):
            return timedelta(0)
        ahead = self._now() - theirs - timedelta(seconds=0.5)
        return ahead if abs(ahead) > MEASURED else timedelta(0)

    async def _connected(self) -> Api:
        """The connection, opened at first use. kr8s is loaded only then: it takes a third of a second."""
        async with self._opening:
            if self._api is None:
                self._api = await self._open()
            return self._api

    async def _open(self) -> Api:
        from kr8s import asyncio as kr8s

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of versions it was not tested on: what we read is in all of them
                async with asyncio.timeout(self._timeout):
                    # without any argument it would give whichever cluster was asked first in this process
                    return await kr8s.api(kubeconfig=self._kubeconfig or _usual(), context=self._context or None)
        except TimeoutError as exc:
            raise EvidenceError(f"Kubernetes: no answer within {self._timeout:g} s") from exc
        except Exception as exc:
            raise EvidenceError(f"Kubernetes: {_one_line(exc)}") from exc


def _forget(api: Api) -> None:
    """Deletes the files that kr8s wrote a kubeconfig's inline key and certificates to; it leaves them itself."""
    auth = api.auth
    for written in (auth.client_key_file, auth.client_cert_file, auth.server_ca_file):
        path = Path(str(written)) if written else None
        if path is not None and path.parent == Path(tempfile.gettempdir()) and path.name.startswith("tmp"):
            path.unlink(missing_ok=True)


def _usual() -> str | None:
    """The kubeconfig that kubectl would take; None inside a cluster, where a service account is used."""
    named = os.environ.get("KUBECONFIG", "") or str(Path("~/.kube/config").expanduser())
    return named if any(Path(part).is_file() for part in named.split(":") if part) else None


def _checked(response: httpx.Response) -> bytes:
    if response.status_code == httpx.codes.NOT_FOUND:
        raise Missing("Kubernetes: the server has no such resource")
    if response.is_error:
        said = str(_decoded(response.content).get("message", "")) if response.content[:1] == b"{" else ""
        raise EvidenceError(f"Kubernetes: {' '.join(said.split())[:200] or f'answered {response.status_code}'}")
    if len(response.content) > LARGEST:
        raise EvidenceError(f"Kubernetes: a page of the answer is over {LARGEST} bytes")
    return response.content


def _decoded(body: bytes) -> Json:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise EvidenceError("Kubernetes: answered with something that is not its JSON") from exc
    return found if isinstance(found, dict) else {}


def _one_line(exc: BaseException) -> str:
    return (" ".join(str(exc).split()) or type(exc).__name__)[:200]


async def taken(
    asked: Awaitable[Answer], made: Callable[[Json, timedelta], T], *, now: Now, kind: str = ""
) -> Taken[T]:
    """The list as facts; a failure as why nothing is known. `kind` names what is absent when the API has none."""
    try:
        answer = await asked
        items = tuple(made(one, answer.shift) for one in answer.objects)
    except Missing:
        return Taken(at=now(), absent=f"the cluster has no {kind}") if kind else Taken(at=now(), error="there is none")
    except EvidenceError as exc:
        return Taken(at=now(), error=exc.reason)
    return Taken(items, answer.at, truncated=answer.truncated)
