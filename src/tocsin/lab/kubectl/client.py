"""The stand-in's way to the API server: JSON over HTTP, and `exec` over a WebSocket. The standard library only."""

import base64
import http.client
import json
import os
import socket
import struct
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from tocsin.lab.kubectl.options import KubectlError

Object = dict[str, Any]
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
TIMEOUT_S = 30.0


class Kind(NamedTuple):
    """A resource as the server tells of it: where it is served, and its names."""

    base: str
    plural: str
    group: str
    namespaced: bool
    names: tuple[str, ...]
    in_all: bool

    @property
    def full(self) -> str:
        """The plural with its group: `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def short(self) -> str:
        """The singular with its group, as verbs print it: `deployment.apps`."""
        return f"{self.names[0]}.{self.group}" if self.group else self.names[0]


class Cluster:
    """One cluster's API at `address`."""

    def __init__(self, address: str) -> None:
        self._address = urlsplit(address)
        self._kinds: list[Kind] = []

    @property
    def named(self) -> str:
        """Host and port."""
        return self._address.netloc

    def kinds(self) -> list[Kind]:
        """Every resource; asked for once."""
        if not self._kinds:
            groups = self.get("/apis")["groups"]
            bases = ["/api/v1", *(f"/apis/{each['preferredVersion']['groupVersion']}" for each in groups)]
            for base in bases:
                group = base.split("/")[2] if base.startswith("/apis") else ""
                self._kinds += [_kind(base, group, each) for each in self.get(base)["resources"]]
            self._kinds = [each for each in self._kinds if "/" not in each.plural and "metrics" not in each.group]
        return self._kinds

    def kind(self, name: str) -> Kind:
        """The resource that a word means.

        Raises:
            KubectlError: there is none.
        """
        for each in self.kinds():
            if name.lower() in (*each.names, each.plural, each.full, each.short):
                return each
        raise KubectlError(f'error: the server doesn\'t have a resource type "{name}"')

    def path(self, kind: Kind, namespace: str, name: str = "", sub: str = "") -> str:
        """Where objects of a resource are; no namespace is all of them."""
        inside = f"/namespaces/{quote(namespace)}" if kind.namespaced and namespace else ""
        rest = "".join(f"/{quote(each)}" for each in (name, sub) if each)
        return f"{kind.base}{inside}/{kind.plural}{rest}"

    def get(self, path: str, query: dict[str, str] | None = None, *, accept: str = "application/json") -> Object:
        """The object, list or table at a path.

        Raises:
            KubectlError: the server refuses, or is not there.
        """
        found: Object = json.loads(self.ask("GET", _with(path, query), accept=accept))
        return found

    def change(self, method: str, path: str, body: Object | list[Object], content_type: str) -> Object:
        """The object after a change. Raises KubectlError as `get` does."""
        found: Object = json.loads(self.ask(method, path, body=json.dumps(body), content_type=content_type))
        return found

    def ask(
        self, method: str, path: str, *, accept: str = "", body: str | None = None, content_type: str = ""
    ) -> bytes:
        """The body of an answer. Raises KubectlError as `get` does."""
        with_answer = self._open(method, path, accept=accept, body=body, content_type=content_type)
        return with_answer.read()

    def follow(self, path: str, query: dict[str, str]) -> Iterator[bytes]:
        """The pieces of an answer that goes on."""
        answer = self._open("GET", _with(path, query), accept="")
        while piece := answer.read1():
            yield piece

    def _open(
        self, method: str, path: str, *, accept: str, body: str | None = None, content_type: str = ""
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self._address.netloc, timeout=TIMEOUT_S)
        headers = {"Accept": accept or "application/json"} | ({"Content-Type": content_type} if content_type else {})
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
        except OSError:
            raise self._refused() from None
        if answer.status >= 400:
            status = json.loads(answer.read())
            raise KubectlError(f"Error from server ({status['reason']}): {status['message']}")
        return answer

    def _refused(self) -> KubectlError:
        stamp = time.strftime("%m%d %H:%M:%S", time.gmtime()) + f".{time.time_ns() // 1000 % 1_000_000:06d}"
        problem = f'Get \\"http://{self.named}/api?timeout=32s\\": dial tcp {self.named}: connect: connection refused'
        where = f'E{stamp} {os.getpid():>7} memcache.go:265] "Unhandled Error"'
        line = f'{where} err="couldn\'t get current server API group list: {problem}"'
        end = f"The connection to the server {self.named} was refused - did you specify the right host or port?"
        return KubectlError("\n".join([line] * 5 + [end]))

    def execute(self, namespace: str, pod: str, command: list[str]) -> int:
        """Run a command in a pod, print what it prints, give its exit code. Raises KubectlError as `get` does."""
        pods = self.kind("pods")
        query = [("command", word) for word in command] + [("stdout", "true"), ("stderr", "true")]
        target = f"{self.path(pods, namespace, pod, 'exec')}?{urlencode(query)}"
        with socket.create_connection((self._address.hostname or "", self._address.port or 80), TIMEOUT_S) as stream:
            key = base64.b64encode(os.urandom(16)).decode()
            stream.sendall(
                f"GET {target} HTTP/1.1\r\nHost: {self.named}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n".encode()
            )
            received = stream.makefile("rb")
            if b" 101 " not in received.readline():
                self.get(self.path(pods, namespace, pod))  # not found, or refused: it says so
                raise KubectlError("error: unable to upgrade connection: container not found")
            while received.readline().strip():
                continue
            return _heard(received.read)


def _heard(read: Any) -> int:
    """Print the channels 1 and 2; the exit code that channel 3 brings."""
    while True:
        first, size = read(2)
        size &= 0x7F
        if size >= 126:
            size = struct.unpack("!H", read(2))[0] if size == 126 else struct.unpack("!Q", read(8))[0]
        payload = read(size)
        if first & 0x0F == 8 or not payload:
            return 0
        if payload[0] in (1, 2):
            stream = sys.stdout if payload[0] == 1 else sys.stderr
            stream.write(payload[1:].decode("utf-8", "replace"))
            stream.flush()
        elif payload[0] == 3:
            status = json.loads(payload[1:])
            causes = status.get("details", {}).get("causes", [])
            return int(causes[0]["message"]) if causes else 0


def _with(path: str, query: dict[str, str] | None) -> str:
    kept = {name: value for name, value in (query or {}).items() if value}
    return f"{path}?{urlencode(kept)}" if kept else path


def _kind(base: str, group: str, each: Object) -> Kind:
    names = (each["singularName"] or each["name"], *each.get("shortNames", []))
    return Kind(base, each["name"], group, each["namespaced"], names, "all" in each.get("categories", []))
