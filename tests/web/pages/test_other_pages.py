"""The list, signing in, acknowledging by link, the public pages, the documents."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sites import SETTINGS

from tocsin.incident.policy import Role
from tocsin.web.pages.errors import local_path
from tocsin.web.pages.markdown_view import as_html
from tocsin.web.pages.rendering import ENVIRONMENT, STATIC, verbatim

HTML = {"Accept": "text/html"}


async def test_who_is_not_signed_in_is_led_there_and_back(site: Any) -> None:
    anybody = await site.of(None)
    answer = await anybody.get("/incidents/7?x=1", headers=HTML)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/signin?next=/incidents/7%3Fx%3D1"
    htmx = await anybody.get("/incidents/7/parts", headers=HTML | {"HX-Request": "true"})
    assert htmx.headers["hx-redirect"] == "/signin?next=/incidents/7"


async def test_a_token_signs_in(site: Any) -> None:
    anybody = await site.of(None)
    secret = site.token(Role.RESPONDER, "Ana")
    answer = await anybody.post("/signin", data={"token": f" {secret} ", "next": "/oncall"}, headers=HTML)
    assert answer.headers["location"] == "/oncall"
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert (await anybody.get("/oncall", headers=HTML)).status_code == 200


async def test_a_wrong_token_is_not_repeated_on_the_page(site: Any, shown: Any) -> None:
    answer = await (await site.of(None)).post("/signin", data={"token": "guessed-secret"}, headers=HTML)
    assert answer.status_code == 403
    assert "Nobody has that token" in shown(answer)
    assert "guessed-secret" not in answer.text


async def test_a_link_that_is_only_opened_stays_good(site: Any) -> None:
    once = await site.house.credentials.invite("first", Role.ADMIN)
    anybody = await site.of(None)
    for _ in range(2):
        assert "Who are you?" in (await anybody.get(f"/signin?once={once}", headers=HTML)).text
    first = await anybody.post("/signin", data={"once": once, "name": "Dana"}, headers=HTML)
    assert first.status_code == 303
    actor = await site.house.credentials.check(anybody.cookies["tocsin_session"], "session")
    assert (actor.name, actor.role) == ("Dana", Role.ADMIN)
    again = await (await site.of(None)).post("/signin", data={"once": once, "name": "Dana"}, headers=HTML)
    assert again.status_code == 403


@pytest.mark.parametrize("name", ["", "   ", "Tocsin"])
async def test_a_link_wants_a_persons_name(site: Any, name: str) -> None:
    once = await site.house.credentials.invite("first", Role.ADMIN)
    answer = await (await site.of(None)).post("/signin", data={"once": once, "other": name}, headers=HTML)
    assert answer.status_code == 422
    assert await site.house.credentials.check(once, "once") is not None


async def test_signing_out_ends_the_session(site: Any, browse: Any) -> None:
    ana = await browse()
    session = ana.client.cookies["tocsin_session"]
    assert (await ana.send("/signout")).headers["location"] == "/signin"
    assert await site.house.credentials.check(session, "session") is None


@pytest.mark.parametrize("given", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/a\nb", ""])
def test_a_link_elsewhere_is_not_followed(given: str) -> None:
    assert local_path(given) == "/"


def test_a_path_of_ours_is_followed() -> None:
    assert local_path("/incidents/7?done=note#log") == "/incidents/7?done=note#log"


async def test_opening_a_pages_link_acknowledges_nothing(site: Any, shown: Any) -> None:
    link = await _link(site)
    anybody = await site.of(None)
    page = await anybody.get(link, headers=HTML)
    assert "Acknowledge as Ana" in shown(page)
    assert page.headers["referrer-policy"] == "no-referrer"
    assert (await site.shown())["status"] == "open"
    assert "You own it, Ana" in shown(await anybody.post(link, headers=HTML))
    assert (await site.shown())["acknowledged_by"] == "Ana"


async def test_a_cut_or_forged_link_is_gone(site: Any) -> None:
    link = await _link(site)
    anybody = await site.of(None)
    for bad in (link[:-3], "/acknowledge/forged"):
        assert (await anybody.get(bad, headers=HTML)).status_code == 410
        assert (await anybody.post(bad, headers=HTML)).status_code == 410


async def test_a_link_from_before_the_reopening_is_gone(site: Any, browse: Any) -> None:
    link = await _link(site)
    ana = await browse()
    await ana.send("/incidents/1/resolve", reason="over")
    assert "is resolved already" in (await ana.get(link)).text
    await ana.send("/incidents/1/reopen", reason="back")
    assert (await ana.client.post(link, headers=HTML)).status_code == 410
    assert (await site.shown())["status"] == "open"


async def test_an_empty_list_says_what_an_alert_would_do(browse: Any, shown: Any) -> None:
    page = await (await browse()).get("/")
    assert "No open incidents" in shown(page)
    assert "/api/v1/alerts/alertmanager" in page.text


async def test_open_incidents_come_first_with_what_they_owe(site: Any, browse: Any, shown: Any) -> None:
    await site.declare(title="Old one")
    ana = await browse()
    await ana.send("/incidents/1/resolve", reason="over")
    await site.declare(title="New one")
    text = shown(await ana.get("/"))
    assert "1 open incident" in text
    assert text.index("New one") < text.index("Recent") < text.index("Old one")


async def test_an_incident_is_declared_by_form(site: Any, browse: Any, shown: Any) -> None:
    ana = await browse()
    refused = await ana.send("/incidents", title="  ", summary="typed")
    assert refused.status_code == 422
    assert ">typed</textarea>" in refused.text
    made = await ana.send("/incidents", title="Login fails", severity="SEV2", service="backend")
    assert made.headers["location"] == "/incidents/1?done=declared"
    assert (await site.shown())["severity"] == "SEV2"


async def test_a_source_in_trouble_is_named_on_the_list(site: Any, browse: Any, shown: Any) -> None:
    site.house.troubles["prometheus"] = "connection refused"
    assert "prometheus : connection refused" in shown(await (await browse()).get("/"))


async def test_the_public_page_says_nothing_internal(site: Any, browse: Any, shown: Any) -> None:
    await site.declare(title="Secret customer ACME is down", service="backend")
    await (await browse()).send("/incidents/1/note", text="ACME pays a lot")
    page = await (await site.of(None)).get("/status", headers=HTML)
    assert page.status_code == 200
    assert "Problems with backend" in shown(page)
    for inside in ("ACME", "SEV1", "Ana", "tocsin_"):
        assert inside not in page.text
    assert 'type="application/atom+xml"' in page.text
    assert f'id="incident-{(await site.shown())["id"]}"' in page.text


async def test_a_resolved_incident_moves_to_the_history(site: Any, browse: Any, shown: Any) -> None:
    await site.declare(service="backend")
    await (await browse()).send("/incidents/1/resolve", reason="over")
    text = shown(await (await site.of(None)).get("/status", headers=HTML))
    assert "Everything works" in text
    assert text.index("The last 15 days") < text.index("Problems with backend")
    site.clock.move(days=16)
    assert "Nothing to report" in shown(await (await site.of(None)).get("/status", headers=HTML))


async def test_a_public_report_opens_an_incident_and_tells_nothing_of_it(site: Any, shown: Any) -> None:
    anybody = await site.of(None)
    said = {"title": "Login fails", "service": "backend", "description": "since noon", "contact": "me@example.com"}
    answer = await anybody.post("/report", data=said, headers=HTML)
    assert answer.status_code == 200
    assert "Reference:" in shown(answer)
    assert "/incidents/1" not in answer.text
    assert (await site.shown())["service"] == "backend"


async def test_strangers_may_send_only_so_many_reports(site: Any, shown: Any) -> None:
    anybody = await site.of(None)
    answers = [await anybody.post("/report", data={"title": f"Trouble {n}"}, headers=HTML) for n in range(6)]
    assert [a.status_code for a in answers] == [200] * 5 + [429]
    assert "people are looking" in shown(answers[-1])


async def test_a_report_without_words_is_refused(site: Any, shown: Any) -> None:
    answer = await (await site.of(None)).post("/report", data={"title": " ", "description": "x"}, headers=HTML)
    assert answer.status_code == 422
    assert "Say in a few words what is wrong" in shown(answer)


async def test_private_reports_take_a_session(opener: Any) -> None:
    site = await opener(settings=f"{SETTINGS}\n[sources.reports]\npublic = false\n")
    answer = await (await site.of(None)).get("/report", headers=HTML)
    assert answer.status_code == 303


async def test_the_runbook_is_shown_with_its_lines(browse: Any, shown: Any) -> None:
    text = shown(await (await browse()).get("/runbook"))
    assert "Escalate to a senior engineer" in text
    assert "line" not in text[:20]
    assert "DevOps Lead" in text


@pytest.mark.parametrize(
    "to", ["../../pyproject.toml", "/etc/passwd", "./incident-response.md", "https://example.com/"]
)
async def test_only_documents_the_runbook_links_to_are_shown(browse: Any, to: str) -> None:
    assert (await (await browse()).get(f"/runbook/linked?to={to}")).status_code == 404


def test_a_linked_documents_html_and_odd_links_are_text(site: Any) -> None:
    odd = "<script>x</script> ![p](http://evil/x.png) [a](javascript:alert(1)) [b](./elsewhere.md)"
    text = f"{odd} [c](./rollback-deployment.md)"
    html = str(as_html(text, site.house.reading.runbook))
    assert "<script>" not in html
    assert "<img" not in html
    assert re.findall(r'href="([^"]*)"', html) == ["#", "/runbook/linked?to=./rollback-deployment.md"]


async def test_the_postmortem_is_read_and_taken_away(site: Any, browse: Any) -> None:
    await site.declare()
    ana = await browse()
    assert '<article class="postmortem">' in (await ana.get("/postmortem/1")).text
    taken = await ana.get("/postmortem/1.md")
    assert taken.headers["content-type"] == "text/markdown; charset=utf-8"
    assert taken.text.startswith("# Postmortem of incident 1")


async def test_on_call_names_people(browse: Any, shown: Any) -> None:
    assert "DevOps Lead Dana" in shown(await (await browse()).get("/oncall"))


async def test_pages_allow_no_inline_script_or_style(site: Any, browse: Any) -> None:
    await site.declare()
    ana = await browse()
    for path in ("/", "/incidents/1", "/oncall", "/runbook", "/status", "/report", "/postmortem/1"):
        page = await ana.get(path)
        policy = page.headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert " style=" not in page.text
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=", page.text), path
        assert not re.search(r'(?:src|href)="(?:https?:)?//', page.text), path


async def test_assets_are_ours_and_kept_for_ever(site: Any, browse: Any) -> None:
    page = await (await browse()).get("/")
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text):
        asset = await (await site.of(None)).get(address)
        assert asset.status_code == 200
        assert "immutable" in asset.headers["cache-control"]


def test_every_third_party_file_has_its_licence_beside_it() -> None:
    for script in STATIC.glob("*.min.js"):
        assert script.with_name(script.name.replace(".min.js", ".LICENSE")).is_file()


def test_a_command_cannot_disguise_itself() -> None:
    assert verbatim("rm -rf /\u202e # \x1b[2K <b>") == "rm -rf /\\u202e # \\u001b[2K &lt;b&gt;"


def test_every_template_compiles() -> None:
    for name in ENVIRONMENT.list_templates():
        ENVIRONMENT.get_template(name)


async def _link(site: Any) -> str:
    incident = await site.declare()
    found = await site.house.desk.incident(incident["id"])
    return str(site.house.signer.acknowledge_url(found, "ana")).removeprefix("http://tocsin.test")
