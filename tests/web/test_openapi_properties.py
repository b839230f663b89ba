"""What `/openapi.json` says is what happens: whatever is sent to any operation, its answer is one that it names.

Bodies are drawn from the schemas, and beside them: cut off, nested, of the wrong type, in no encoding at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from senders import SENDERS
from sites import Site

from tocsin.bootstrap import compose
from tocsin.config import load
from tocsin.incident.policy import Role
from tocsin.store.database import Store
from tocsin.web.app import create_app

Schema = dict[str, Any]
ENDLESS = "/stream"
NEVER_SAID = (404, 405)
"""What no operation names: a path that a strange word makes another one."""
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=5,
)
GARBAGE = st.sampled_from(
    [b"", b"{", b"null", b"[]", b'"x"', b"\xff\xfe{}", b"\x00", b"[" * 100_000, b'{"a":' * 100_000, b"{" * 5_000_001,
     b'{"a": NaN}', b'{"a": 1e999}', b'{"\\ud800": "\\ud800"}']
)  # fmt: skip
WORDS = st.sampled_from(
    ["1", "0", "99999999999999999999", "-1", "x", "a b", "%00", "\u202e", "é", "'; drop", "x" * 3000]
)


def strategy(wanted: Schema) -> st.SearchStrategy[Any]:
    """Values that fit a schema, about: those that are a little off are welcome."""
    if "$ref" in wanted:
        return strategy(schema()["components"]["schemas"][wanted["$ref"].rpartition("/")[2]])
    if "enum" in wanted or "const" in wanted:
        return st.sampled_from(wanted.get("enum") or [wanted["const"]])
    if "anyOf" in wanted:
        return st.one_of([strategy(one) for one in wanted["anyOf"]])
    match wanted.get("type"):
        case "object":
            return _objects(wanted)
        case "array":
            return st.lists(strategy(wanted.get("items", {})), max_size=3)
        case "string":
            return st.text(max_size=12) | WORDS | st.sampled_from(["SEV1", "Ana", "2026-01-05T03:00:00Z", "3d"])
        case "integer":
            return st.integers() | st.integers(0, 5)
        case "number":
            return st.floats()
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case _:
            return ANYTHING


def _objects(wanted: Schema) -> st.SearchStrategy[Any]:
    known = {name: strategy(one) for name, one in wanted.get("properties", {}).items()}
    needed = set(wanted.get("required", ()))
    return st.fixed_dictionaries(
        {name: one for name, one in known.items() if name in needed},
        optional={name: one for name, one in known.items() if name not in needed},
    )


def operations(whole: Schema) -> Iterator[tuple[str, str, Schema]]:
    for path, methods in whole["paths"].items():
        if ENDLESS not in path:
            yield from ((method.upper(), path, operation) for method, operation in methods.items())


def bodies(operation: Schema) -> st.SearchStrategy[bytes]:
    """As the operation wants it, as a sender would post it, as anything, or as nothing that can be read."""
    given_schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    fitting = strategy(given_schema).map(_encoded)
    posted = st.sampled_from(SENDERS).map(lambda sender: sender.encode(sender.fires))
    cut = st.builds(lambda body, at: body[: max(len(body) - at, 0)], fitting | posted, st.integers(1, 30))
    return fitting | posted | cut | ANYTHING.map(_encoded) | GARBAGE


def _encoded(value: object) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


@pytest.fixture
async def admin(site: Site) -> httpx.AsyncClient:
    await site.declare()
    return await site.of(Role.ADMIN, address="127.0.0.1")


@dataclass(frozen=True)
class Call:
    """One request of an operation; `documented` are the statuses that it names."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes
    documented: frozenset[int]

    def __str__(self) -> str:
        return f"{self.method} {self.path[:80]} {self.query} {self.body[:80]!r}"


@lru_cache
def schema() -> Schema:
    """What the app says of itself; the same for every site."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "tocsin.toml").write_text('[people.me]\n[roles]\n"*" = "me"\n', encoding="utf-8")
        settings = load(Path(folder) / "tocsin.toml", environ={})
        store = Store(settings.database.get_secret_value())
        try:
            return create_app(compose(settings, store=store)).openapi()
        finally:
            store.close()


@st.composite
def calls(draw: st.DrawFn) -> Call:
    method, path, operation = draw(st.sampled_from(list(operations(schema()))))
    query = {}
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", quote(draw(WORDS), safe=""))
        elif draw(st.booleans()):
            query[parameter["name"]] = draw(WORDS)
    body = draw(bodies(operation)) if method != "GET" else b""
    return Call(method, path, query, body, frozenset(map(int, operation["responses"])))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=st.lists(calls(), min_size=8, max_size=12))
async def test_every_answer_is_one_that_the_operation_names(
    site: Site, admin: httpx.AsyncClient, asked: list[Call]
) -> None:
    for call in asked:
        kept = await _kept(site)
        answer = await admin.request(
            call.method, call.path, params=call.query, content=call.body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in (*call.documented, *NEVER_SAID), (
            f"{call}: {answer.status_code} {answer.text[:500]}"
        )
        if answer.status_code >= 400:
            assert answer.headers["content-type"].startswith(("application/json", "application/problem+json")), str(
                call
            )
            assert await _kept(site) == kept, f"{call}: refused, and something was kept"


async def _kept(site: Site) -> tuple[int, int]:
    """How many alerts and incidents are there."""
    alerts = await site.house.desk.alerts(limit=10_000)
    return len(alerts), len(await site.house.desk.incidents(limit=10_000))
