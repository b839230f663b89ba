"""Who may do what: tokens, sessions, roles, forged forms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest
from sites import SETTINGS, Site, refusal
from starlette.requests import Request
from starlette.responses import Response

from tocsin.incident.policy import Role
from tocsin.web import auth

Opened: TypeAlias = Callable[..., Awaitable[Site]]
READS = ("/api/v1/incidents", "/api/v1/incidents/1", "/api/v1/alerts", "/api/v1/oncall", "/api/v1/runbook",
         "/api/v1/incidents/1/timeline", "/api/v1/incidents/1/deadlines", "/api/v1/incidents/1/alerts",
         "/api/v1/incidents/1/postmortem", "/api/v1/incidents/1/runs/1", "/api/v1/incidents/1/evidence/1",
         "/api/v1/stream")  # fmt: skip
COMMANDS = ("acknowledge", "escalate", "severity", "notes", "roles", "status", "facts", "updates", "answers",
            "checklist", "mitigated", "resolve", "reopen", "close", "procedures/x", "mitigations/x", "approvals/1",
            "approvals/1/settle", "action-items", "action-items/1/done")  # fmt: skip
VALID: dict[str, Any] = {
    "severity": {"severity": "SEV2"}, "notes": {"text": "x"}, "roles": {"role": "commander", "person": "ana"},
    "status": {"status": "identified"}, "updates": {"text": "x"}, "checklist": {"item": "x"}, "reopen": {"reason": "x"},
    "answers": {"question": "x", "answer": "yes"}, "approvals/1": {"decision": "approve"},
    "approvals/1/settle": {"outcome": "done"},
    "action-items": {"title": "x", "owner": "ana", "due_in": "1d"},
}  # fmt: skip


@pytest.mark.parametrize("path", READS)
async def test_nobody_reads_without_a_token(site: Site, path: str) -> None:
    answer = await (await site.of(None)).get(path)
    refusal(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_viewer_changes_nothing(site: Site, command: str) -> None:
    await site.declare()
    answer = await (await site.of(Role.VIEWER)).post(f"/api/v1/incidents/1/{command}", json=VALID.get(command, {}))
    assert "takes the role responder" in refusal(answer, 403)["detail"]


async def test_a_viewer_reads(site: Site) -> None:
    await site.declare()
    assert (await (await site.of(Role.VIEWER)).get("/api/v1/incidents/1")).status_code == 200


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer", "Basic dG9jc2luOg==", "Digest x", "Bearer \xff"])
async def test_a_credential_that_is_none_is_refused(site: Site, header: str) -> None:
    client = await site.of(None)
    refusal(await client.get("/api/v1/incidents", headers={b"Authorization": header.encode("latin-1")}), 401)


async def test_an_expired_session_is_nobody(site: Site) -> None:
    browser = await site.signed_in(Role.RESPONDER)
    assert (await browser.get("/api/v1/incidents")).status_code == 200
    site.clock.move(days=30)
    refusal(await browser.get("/api/v1/incidents"), 401)


async def test_a_session_reads_but_does_not_change_without_its_csrf_token(site: Site) -> None:
    browser = await site.signed_in(Role.RESPONDER)
    assert (await browser.get("/api/v1/incidents")).status_code == 200
    assert "reload the page" in refusal(await browser.post("/api/v1/incidents", json={"title": "x"}), 403)["detail"]


async def test_a_session_changes_with_its_csrf_token(site: Site) -> None:
    browser = await site.signed_in(Role.RESPONDER)
    token = site.house.credentials.csrf(browser.cookies["tocsin_session"])
    answer = await browser.post("/api/v1/incidents", json={"title": "x"}, headers={"X-CSRF-Token": token})
    assert answer.status_code == 201


@pytest.mark.parametrize("given", ["", "0" * 64, "š"])
async def test_another_sessions_csrf_token_is_refused(site: Site, given: str) -> None:
    browser = await site.signed_in(Role.RESPONDER)
    headers = {b"X-CSRF-Token": given.encode()}
    refusal(await browser.post("/api/v1/incidents", json={"title": "x"}, headers=headers), 403)


async def test_a_form_may_carry_the_csrf_token_in_a_field(site: Site) -> None:
    browser = await site.signed_in(Role.RESPONDER)

    @site.app.post("/form")
    async def form(actor: auth.Responder, request: Request) -> str:
        return str((await request.form())["said"])

    token = site.house.credentials.csrf(browser.cookies["tocsin_session"])
    assert (await browser.post("/form", data={"csrf": token, "said": "yes"})).json() == "yes"
    assert (await browser.post("/form", files={"csrf": (None, token), "said": (None, "yes")})).json() == "yes"
    assert (await browser.post("/form", data={"csrf": "no", "said": "yes"})).status_code == 403
    assert (await browser.post("/form", data={"said": "yes"})).status_code == 403


async def test_a_bearer_token_needs_no_csrf_token_even_beside_a_cookie(site: Site) -> None:
    browser = await site.signed_in(Role.VIEWER)
    headers = {"Authorization": f"Bearer {site.token(Role.RESPONDER, 'Ana')}"}
    assert (await browser.post("/api/v1/incidents", json={"title": "x"}, headers=headers)).status_code == 201


async def test_an_api_token_is_no_session_and_a_session_no_token(site: Site) -> None:
    browser = await site.of(None)
    browser.cookies.set("tocsin_session", site.token(Role.ADMIN, "Ana"))
    refusal(await browser.get("/api/v1/incidents"), 401)
    session = await site.house.credentials.start_session("Ana", Role.ADMIN)
    refusal(await (await site.of(None)).get("/api/v1/incidents", headers={"Authorization": f"Bearer {session}"}), 401)


@pytest.mark.parametrize(
    ("role", "statuses"),
    [
        (Role.VIEWER, [200, 403, 403, 403]),
        (Role.RESPONDER, [200, 200, 403, 403]),
        (Role.COMMANDER, [200, 200, 200, 403]),
        (Role.ADMIN, [200, 200, 200, 200]),
    ],
)
async def test_a_role_includes_the_ones_below_it(site: Site, role: Role, statuses: list[int]) -> None:
    @site.app.get("/for/viewer")
    async def for_viewer(actor: auth.Viewer) -> None: ...

    @site.app.get("/for/responder")
    async def for_responder(actor: auth.Responder) -> None: ...

    @site.app.get("/for/commander")
    async def for_commander(actor: auth.Commander) -> None: ...

    @site.app.get("/for/admin")
    async def for_admin(actor: auth.Admin) -> None: ...

    client = await site.of(role)
    assert [(await client.get(f"/for/{r}")).status_code for r in Role] == statuses


async def test_a_link_signs_in_once(site: Site) -> None:
    link = await site.house.credentials.invite("admin", Role.ADMIN)
    session = await auth.sign_in_once(site.house, link)
    assert session is not None
    assert await auth.sign_in_once(site.house, link) is None
    browser = await site.of(None)
    browser.cookies.set("tocsin_session", session)
    assert (await browser.get("/api/v1/incidents")).status_code == 200


async def test_a_token_signs_in_with_its_name_and_role(site: Site) -> None:
    session = await auth.sign_in_with_token(site.house, f" {site.token(Role.COMMANDER, 'Dana')}\n")
    actor = await site.house.credentials.check(session or "", "session")
    assert actor is not None
    assert (actor.name, actor.role) == ("Dana", Role.COMMANDER)
    assert await auth.sign_in_with_token(site.house, "wrong") is None


@pytest.mark.parametrize(("public", "secure"), [("https://tocsin.test", True), ("http://tocsin.test", False)])
async def test_the_cookie_is_kept_from_scripts_and_other_sites(opener: Opened, public: str, secure: bool) -> None:
    site = await opener(settings=SETTINGS.replace("http://tocsin.test", public))
    response = Response()
    auth.set_session(response, site.house, "secret")
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    assert ("secure" in cookie.replace("tocsin_session=secret", "")) is secure


async def test_signing_out_ends_the_session(site: Site) -> None:
    @site.app.post("/out")
    async def out(actor: auth.Viewer, request: Request) -> Response:
        response = Response()
        await auth.sign_out(request, site.house, response)
        return response

    browser = await site.signed_in(Role.VIEWER)
    session = browser.cookies["tocsin_session"]
    token = site.house.credentials.csrf(session)
    answer = await browser.post("/out", headers={"X-CSRF-Token": token})
    assert 'tocsin_session=""' in answer.headers["set-cookie"]
    browser.cookies.set("tocsin_session", session)
    refusal(await browser.get("/api/v1/incidents"), 401)
