"""Around every request: headers, sizes, unknown addresses, and what nobody expected."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from fastapi import Request
from sites import SETTINGS, Site, refusal

Opener = Callable[..., Awaitable[Site]]


@pytest.mark.parametrize(
    "path", ["/healthz", "/api/v1/incidents", "/api/v2/summary.json", "/status", "/nothing", "/boom"]
)
async def test_every_answer_carries_the_security_headers(site: Site, path: str) -> None:
    site.app.add_api_route("/boom", _boom)
    headers = (await (await site.of(None)).get(path)).headers
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


async def test_https_is_insisted_on_where_it_is_used(opener: Opener) -> None:
    site = await opener(settings=SETTINGS.replace("http://tocsin.test", "https://tocsin.test"))
    assert "strict-transport-security" in (await site.ask.get("/healthz")).headers


async def test_answers_of_the_api_are_not_kept_by_caches(site: Site) -> None:
    assert (await site.ask.get("/api/v1/incidents")).headers["cache-control"] == "no-store"


async def test_a_proxy_that_is_trusted_says_who_asks_and_no_other_does(site: Site) -> None:
    site.app.add_api_route("/who", _who)
    site.app.behind_proxies("127.0.0.1")
    forwarded = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    through = await (await site.of(None, address="127.0.0.1")).get("/who", headers=forwarded)
    straight = await (await site.of(None, address="203.0.113.7")).get("/who", headers=forwarded)
    assert (through.json(), straight.json()) == (["203.0.113.9", "https"], ["203.0.113.7", "http"])


async def _who(request: Request) -> list[str]:
    return [request.client.host if request.client else "", request.url.scheme]


async def _boom() -> None:
    raise RuntimeError("the password is hunter2")


async def test_what_nobody_expected_says_nothing_of_itself(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.app.add_api_route("/boom", _boom)
    answer = await site.ask.get("/boom")
    problem = refusal(answer, 500)
    assert "hunter2" not in answer.text
    assert "RuntimeError" not in answer.text
    assert problem["instance"] == "/boom"
    assert "request_failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("PUT", "/api/v1/incidents", 405),
        ("GET", "/api/v1/alerts/generic", 405),
        ("POST", "/api/v1/incidents/1/nothing", 404),
    ],
)
async def test_an_unknown_address_or_method_is_a_problem_document(
    site: Site, method: str, path: str, status: int
) -> None:
    refusal(await site.ask.request(method, path, headers={"Accept": "text/html"}), status)


@pytest.mark.parametrize("headers", [{"Accept": "text/html,*/*"}, {"HX-Request": "true"}])
async def test_a_browser_is_shown_a_page_instead(site: Site, headers: dict[str, str]) -> None:
    answer = await (await site.of(None)).get("/nothing", headers=headers)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(("size", "status"), [(1_000_000, 422), (1_000_001, 413)])
async def test_a_body_has_at_most_a_megabyte(site: Site, size: int, status: int) -> None:
    body = b'{"title": "x", "y": 1}'.ljust(size)
    answer = await site.ask.post("/api/v1/incidents", content=body, headers={"Content-Type": "application/json"})
    refusal(answer, status)


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "1"}])
async def test_a_body_without_a_stated_length_is_bounded_too(site: Site, key: dict[str, str]) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b" " * 100_000

    headers = {"Content-Type": "application/json"} | key
    refusal(await site.ask.post("/api/v1/incidents", content=endless(), headers=headers), 413)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 50_000, b"null", b'{"title": "\\ud800"}', b'{"title": NaN}']
)
async def test_a_body_that_is_no_json_is_refused(site: Site, body: bytes) -> None:
    answer = await site.ask.post("/api/v1/incidents", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["detail"]


async def test_a_form_is_no_json(site: Site) -> None:
    refusal(await site.ask.post("/api/v1/incidents", data={"title": "x"}), 422)


async def test_the_schema_describes_the_whole_api(site: Site) -> None:
    schema: dict[str, Any] = (await (await site.of(None)).get("/openapi.json")).json()
    assert schema["info"]["title"] == "Tocsin"
    paths = schema["paths"]
    assert {"/api/v1/incidents", "/api/v1/alerts/alertmanager", "/api/v1/stream"} <= set(paths)
    refused = paths["/api/v1/incidents"]["post"]["responses"]["422"]["content"]
    assert list(refused) == ["application/problem+json"]
    assert "deadlines" in schema["components"]["schemas"]["IncidentJson"]["properties"]
    assert "/docs" not in paths
    refusal(await site.ask.get("/docs"), 404)
