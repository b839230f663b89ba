"""The incident room as people use it: headless Chromium, a real server, the practice production behind it.

With TOCSIN_SCREENSHOTS=DIR the pages are also photographed on the way; the README's picture is made so.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FloatRect, Locator, Page, ViewportSize, expect, sync_playwright
from serving import ALERT_TOKEN, Server

from tocsin.config import default_runbook
from tocsin.lab.alerting import Rule, webhook_body
from tocsin.lab.production import Production

CHROMIUM = shutil.which("chromium") or ""
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip
SMALL_PHONE = ViewportSize(width=360, height=780)
DEVICES = {"desktop": ViewportSize(width=1280, height=900), "phone": ViewportSize(width=390, height=844)}
PATIENCE_MS = 15_000
EVIL = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>{{ 7*7 }}'
SETTINGS = """
runbook = '{runbook}'
database = "sqlite:///tocsin.db"
public_url = "http://127.0.0.1:{port}"
[severity]
critical = "SEV1"
default = "SEV3"
[roles]
"On-call" = "schedule:primary"
"DevOps Lead" = "dana"
"Engineering Manager" = "emil"
"CTO" = "cyril"
[people.ana]
name = "Ana"
email = "ana@example.com"
phone = "+420 601 000 001"
[people.ben]
name = "Ben"
phone = "+420 601 000 002"
[people.dana]
name = "Dana"
phone = "+420 601 000 003"
[people.emil]
name = "Emil"
[people.cyril]
name = "Cyril"
[schedules.primary]
timezone = "Europe/Prague"
people = ["ana"]
rotation = "weekly"
handoff = "Mon 09:00"
starts = 2026-01-05
[services.backend]
match = {service = "backend"}
[services.frontend]
match = {service = "frontend"}
[sources.alerts]
token = "env:TOCSIN_ALERT_TOKEN"
[sources.prometheus]
url = "{prometheus}"
[status_page]
title = "QAWave"
[procedures.environment]
{environment}
"""
SLOW = """### Slow Walk

```bash
# Walk through the shards
for shard in $(seq 1 400); do echo "shard $shard is well"; sleep 0.1; done
```

"""
WIPE = "| Empty the cache | Stale answers | `kubectl delete pod -l app=cache -n production` |\n"

expect.set_options(timeout=PATIENCE_MS)
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("e2e"),
    pytest.mark.skipif(not CHROMIUM, reason="needs Chromium"),
]


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    with Production(tmp_path_factory.mktemp("production")) as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, production: Production) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copytree(default_runbook().parent, folder / "runbooks")
    book = folder / "runbooks" / default_runbook().name
    hurried = (
        book.read_text(encoding="utf-8").replace("15-30 minutes", "2-4 seconds").replace("watch -n 30", "watch -n 1")
    )
    slow = hurried.replace("### High Latency", SLOW + "### High Latency", 1)
    book.write_text(slow.replace("| Failover |", WIPE + "| Failover |", 1), encoding="utf-8")
    environment = "\n".join(f"{k} = '{v}'" for k, v in production.environment().items())
    settings = SETTINGS.replace("{runbook}", str(book)).replace("{prometheus}", production.prometheus_url)
    found = Server(folder, settings.replace("{environment}", environment))
    found.start()
    yield found
    found.stop()
    found.client.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def session(server: Server) -> str:
    """The cookie of Ana, signed in by token over plain HTTP."""
    secret = server.token("Ana")["Authorization"].removeprefix("Bearer ")
    answer = server.client.post("/signin", data={"token": secret}, follow_redirects=False)
    assert answer.status_code == 303
    cookie: str = answer.cookies["tocsin_session"]
    server.client.cookies.clear()
    return cookie


class Tab:
    """A page of the browser that remembers what went wrong in it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.wrong: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda said: self.wrong.append(said.text) if _is_wrong(said.text, said.type) else None)

    def open(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page


def _is_wrong(text: str, kind: str) -> bool:
    """Refused commands answer 409 and 422 on purpose, which a browser also writes to its console."""
    return kind == "error" and not re.search(r"status of (409|422)|404", text)


@pytest.fixture
def tab(chromium: Browser, server: Server, session: str) -> Iterator[Tab]:
    """A desktop browser signed in as Ana; a script error or a breach of the content policy fails the test."""
    context = chromium.new_context(viewport=DEVICES["desktop"], color_scheme="light")
    context.add_cookies([{"name": "tocsin_session", "value": session, "url": server.url}])
    found = Tab(context.new_page(), server.url)
    yield found
    context.close()
    assert not found.wrong, found.wrong


def visiting(chromium: Browser, server: Server, name: str, role: str = "responder") -> Tab:
    """Another person's browser; its context is to be closed."""
    secret = server.token(name, role)["Authorization"].removeprefix("Bearer ")
    answer = server.client.post("/signin", data={"token": secret}, follow_redirects=False)
    cookie = answer.cookies["tocsin_session"]
    server.client.cookies.clear()
    context = chromium.new_context(viewport=DEVICES["desktop"])
    context.add_cookies([{"name": "tocsin_session", "value": cookie, "url": server.url}])
    return Tab(context.new_page(), server.url)


def declared(server: Server, title: str, severity: str = "SEV3", service: str = "") -> int:
    """The number of a new incident."""
    said = {"title": title, "severity": severity, "service": service}
    number: int = server.client.post("/api/v1/incidents", json=said, headers=server.token("Ben")).json()["number"]
    return number


def fired(server: Server, *, ended_at: float | None = None) -> None:
    body = webhook_body(0.4, rule=Rule(), started_at=1_790_000_000.0, ended_at=ended_at)
    assert server.alert(json.dumps(body).encode()).status_code == 200


def newest(server: Server, headers: dict[str, str]) -> int:
    listed = server.client.get("/api/v1/incidents", headers=headers).json()["incidents"]
    number: int = listed[0]["number"]
    return number


def acknowledge_links(server: Server) -> list[str]:
    """The links of the pages that the console showed, in order."""
    return re.findall(r"http\S+/acknowledge/\S+", server.log)


def photograph(tab: Tab, name: str, *, whole: bool = True) -> None:
    """Desktop and phone, light and dark; nothing at all unless TOCSIN_SCREENSHOTS names a folder."""
    folder = os.environ.get("TOCSIN_SCREENSHOTS")
    if not folder:
        return
    page = tab.page
    for device, size in DEVICES.items():
        for scheme in ("light", "dark"):
            page.set_viewport_size(size)
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=Path(folder) / f"{name}-{device}-{scheme}.png", full_page=whole)
    page.set_viewport_size(DEVICES["desktop"])
    page.emulate_media(color_scheme="light")


def closeup(tab: Tab, part: Locator, name: str) -> None:
    """One part of a page, on the same devices."""
    folder = os.environ.get("TOCSIN_SCREENSHOTS")
    for device, size in DEVICES.items() if folder else ():
        for scheme in ("light", "dark"):
            tab.page.set_viewport_size(size)
            tab.page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
            part.screenshot(path=Path(folder or "") / f"{name}-{device}-{scheme}.png")
    tab.page.set_viewport_size(DEVICES["desktop"])
    tab.page.emulate_media(color_scheme="light")


def test_a_first_start_signs_in_by_its_one_time_link(chromium: Browser, server: Server) -> None:
    link: str = server.until(server.sign_in_link)
    context = chromium.new_context()
    page = context.new_page()
    page.goto(link)
    page.locator("select[name=name]").select_option("Dana")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="No open incidents")).to_be_visible()
    expect(page.locator(".who .name")).to_have_text("Dana")
    page.goto(link)
    expect(page.get_by_role("alert")).to_contain_text("used already")
    context.close()


def test_the_story_from_alert_to_resolve(tab: Tab, server: Server, production: Production) -> None:
    ana = server.token("Ana")
    tab.open("/")
    photograph(tab, "empty")
    production.deploy("v2")
    fired(server)
    number = newest(server, ana)
    page = tab.open("/")
    card = page.locator(".card", has_text="High error rate on the backend")
    expect(card).to_contain_text("nobody yet")
    photograph(tab, "list")
    card.get_by_role("link").click()
    expect(page.locator("#assess .step.mark-bad, #assess .step.mark-good").first).to_be_visible()
    expect(page.locator("#assess .mark-running")).to_have_count(0)
    photograph(tab, "room-open")

    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#flash")).to_contain_text("You own it")
    expect(page.locator("#top")).to_contain_text("acknowledged")
    expect(page.locator("#owed")).to_contain_text("Update to the team")

    page.locator("#decide").get_by_label("What makes you say so").fill("v2 went out four minutes earlier")
    page.locator("#decide").get_by_role("button", name="Yes", exact=True).click()
    approval = page.locator("#approvals article")
    expect(approval).to_contain_text("kubectl rollout undo deployment/backend -n production")
    step = page.locator("#assess .step", has_text="List the pods")
    step.locator("summary").first.click()
    step.locator("summary", has_text="Output").click()
    expect(step.locator("pre.out")).to_contain_text("READY")
    expect(page.locator("#flash .flash")).to_have_count(0)
    photograph(tab, "room")
    if folder := os.environ.get("TOCSIN_SCREENSHOTS"):
        page.evaluate("window.scrollTo(0, 0)")
        tree = page.locator("#decide").bounding_box()
        assert tree is not None
        clip = FloatRect(x=0, y=0, width=1280, height=tree["y"] + tree["height"] + 16)
        page.screenshot(path=Path(folder) / "incident-room.png", clip=clip, full_page=True)
    approval.get_by_role("button", name="Approve and run").click()
    expect(page.locator("#mitigate")).to_contain_text("succeeded")
    assert production.version() == "v1"

    page.locator("#tell").get_by_label("Progress").fill("Rolled back to v1, errors fall")
    page.locator("#tell").get_by_label("Next step").fill("Watch the error rate")
    page.get_by_role("button", name="Post the update").click()
    expect(page.locator("#public")).to_contain_text("Rolled back to v1")

    server.until(lambda: production.health() == 200 and production.error_ratio() == 0)
    fired(server, ended_at=1_790_000_600.0)
    expect(page.locator("#top")).to_contain_text("monitoring")
    photograph(tab, "room-monitoring")
    page.get_by_role("button", name="Resolve once verified").click()
    open_items = page.locator("#end .tick:not(.done)")
    for left in range(open_items.count(), 0, -1):
        open_items.first.click()
        expect(open_items).to_have_count(left - 1)
    expect(page.locator("#top .status-resolved")).to_be_visible(timeout=PATIENCE_MS)
    page.reload()
    expect(page.locator("#after")).to_contain_text("Action items")
    photograph(tab, "room-resolved")
    tab.open(f"/postmortem/{number}")
    expect(page.locator("article.postmortem")).to_contain_text("rollout undo")
    photograph(tab, "postmortem")


def test_a_pages_link_acknowledges_only_by_its_button(chromium: Browser, server: Server) -> None:
    before = len(acknowledge_links(server))
    number = declared(server, "Queue is stuck", "SEV2")
    link = server.until(lambda: acknowledge_links(server)[before:])[0]
    context = chromium.new_context(viewport=DEVICES["phone"])
    page = context.new_page()
    page.goto(link)
    expect(page.get_by_role("heading", name="Queue is stuck")).to_be_visible()
    incident = server.client.get(f"/api/v1/incidents/{number}", headers=server.token("Ana")).json()
    assert incident["status"] == "open"
    page.get_by_role("button", name="Acknowledge as Ana").click()
    expect(page.get_by_role("status")).to_contain_text("You own it, Ana")
    page.goto(link[:-4])
    expect(page.get_by_role("heading", name="This link is no longer good")).to_be_visible()
    context.close()


def test_what_others_do_appears_and_what_one_types_stays(tab: Tab, server: Server) -> None:
    number = declared(server, "Mail is slow")
    page = tab.open(f"/incidents/{number}")
    expect(page.locator("#live")).to_have_text("live")
    note = page.get_by_placeholder("Write a note")
    reason = page.locator("#classify").get_by_label("Why")
    note.fill("half a sentence")
    reason.fill("because")
    ben = server.token("Ben")
    server.client.post(f"/api/v1/incidents/{number}/severity", json={"severity": "SEV2"}, headers=ben)
    server.client.post(f"/api/v1/incidents/{number}/notes", json={"text": "Ben was here"}, headers=ben)
    expect(page.locator("#lines")).to_contain_text("Ben was here")
    expect(page.locator("#top .sev")).to_have_text("SEV2")
    expect(note).to_have_value("half a sentence")
    expect(reason).to_have_value("because")
    expect(page.locator("#classify")).to_contain_text("This part has changed")


def test_a_new_incident_appears_on_the_open_list(tab: Tab, server: Server) -> None:
    page = tab.open("/")
    page.wait_for_load_state("load")
    expect(page.locator("#open")).to_be_visible()
    declared(server, "Disk is nearly full")
    expect(page.locator(".card", has_text="Disk is nearly full")).to_be_visible()


REFRESHED = """() => new Promise((done) => {
    const asking = setInterval(() => htmx.trigger("#open", "refresh"), 50);
    document.addEventListener("htmx:afterRequest", () => { clearInterval(asking); done(); }, {once: true});
})"""
"""Asked again until it is answered: a part that was put in a moment ago does not listen yet."""


def pressed(page: Page, what: Locator) -> None:
    """The mouse button goes down over it, and stays down."""
    what.hover()
    page.mouse.down()


def test_what_changes_under_the_finger_takes_no_click_away(tab: Tab, server: Server) -> None:
    number = declared(server, "Uploads fail")
    page = tab.open("/")
    link = page.get_by_role("link", name="Uploads fail")
    link.focus()
    page.evaluate(REFRESHED)
    expect(link).to_be_focused()
    pressed(page, link)
    page.evaluate(REFRESHED)
    page.mouse.up()
    page.wait_for_url(f"**/incidents/{number}")
    expect(page.locator("#live")).to_have_text("live")
    expect(page.locator("#assess .mark-running")).to_have_count(0)  # nothing moves any more
    acknowledge = page.get_by_role("button", name="Acknowledge")
    with page.expect_response("**/parts"):
        pressed(page, acknowledge)
        told = {"severity": "SEV2", "reason": "all of them"}
        address = f"/api/v1/incidents/{number}/severity"
        assert server.client.post(address, json=told, headers=server.token("Ben")).is_success
    page.mouse.up()
    expect(acknowledge).to_have_count(0)
    expect(page.get_by_role("main")).to_contain_text("SEV2")


def test_a_refusal_is_a_sentence_in_the_room(tab: Tab, server: Server) -> None:
    number = declared(server, "Search is slow")
    page = tab.open(f"/incidents/{number}")
    page.get_by_role("button", name="Change severity").click()
    expect(page.locator("#flash")).to_contain_text("The incident is SEV3 already")


def test_hostile_text_stays_text(tab: Tab, server: Server) -> None:
    number = declared(server, EVIL, "SEV4", service=EVIL)
    headers = server.token(EVIL)
    server.client.post(f"/api/v1/incidents/{number}/notes", json={"text": EVIL}, headers=headers)
    server.client.post(
        f"/api/v1/incidents/{number}/status", json={"status": "identified", "text": EVIL}, headers=headers
    )
    server.client.post("/report", data={"title": EVIL, "description": EVIL, "contact": EVIL})
    for path in ("/", f"/incidents/{number}", "/status", f"/postmortem/{number}", f"/incidents/{number}/timeline"):
        page = tab.open(path)
        expect(page.locator("body")).to_contain_text("onerror")
        assert page.locator("main img").count() == 0
        assert page.evaluate("window.hacked") is None


STICKING_OUT = """(width) => [...document.querySelectorAll("main *")]
    .filter((each) => each.getBoundingClientRect().right > width + 1)
    .map((each) => `${each.tagName}.${each.className}#${each.id}: ${each.textContent.slice(0, 60)}`)"""
"""What is wider than the screen, for whoever reads why the test failed."""


def test_every_page_fits_a_small_phone(chromium: Browser, server: Server, session: str) -> None:
    long = "checkout-service-" * 12
    number = declared(server, long, "SEV2", service="frontend")
    context = chromium.new_context(viewport=SMALL_PHONE)
    context.add_cookies([{"name": "tocsin_session", "value": session, "url": server.url}])
    page = context.new_page()
    room = f"/incidents/{number}"
    for path in (
        "/",
        room,
        "/incidents/1",
        "/oncall",
        "/runbook",
        "/status",
        "/report",
        "/postmortem/1",
        f"{room}/timeline",
    ):
        page.goto(server.url + path)
        page.evaluate("document.querySelectorAll('main details').forEach((box) => { box.open = true })")
        expect(page.locator("details.output[open] > div > a")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= SMALL_PHONE["width"], (
            path, page.evaluate(STICKING_OUT, SMALL_PHONE["width"])
        )  # fmt: skip
    context.close()


def test_everything_works_without_javascript(chromium: Browser, server: Server, session: str) -> None:
    number = declared(server, "Login fails", "SEV2")
    context = chromium.new_context(java_script_enabled=False)
    context.add_cookies([{"name": "tocsin_session", "value": session, "url": server.url}])
    page = context.new_page()
    page.goto(f"{server.url}/incidents/{number}")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#flash")).to_contain_text("You own it")
    page.locator("#decide").get_by_role("button", name="No", exact=True).click()
    expect(page.locator("#decide")).to_contain_text("Is it short of a resource?")
    page.locator("#end .tick").first.click()
    expect(page.locator("#end .tick").first).to_have_attribute("aria-checked", "true")
    page.get_by_role("button", name="Change severity").click()
    expect(page.get_by_role("alert")).to_contain_text("SEV2 already")
    context.close()


def test_what_a_step_says_reaches_every_viewer_until_it_is_cancelled(
    tab: Tab, server: Server, chromium: Browser
) -> None:
    number = declared(server, "Shards answer late")
    page = tab.open(f"/incidents/{number}")
    ben = visiting(chromium, server, "Ben")
    ben.open(f"/incidents/{number}")
    box = page.locator("#proc-slow-walk")
    box.locator("summary").first.click()
    box.get_by_role("button", name="Run all").click()
    expect(box.locator("pre.out")).to_contain_text("shard 3 is well")
    ben.page.locator("#proc-slow-walk").evaluate("(box) => { box.open = true }")
    expect(ben.page.locator("#proc-slow-walk pre.out")).to_contain_text("shard 1 is well\nshard 2 is well")
    closeup(tab, box, "live")
    box.get_by_role("button", name="Cancel this run").click()
    expect(page.locator("#lines")).to_contain_text("Ana stopped Slow Walk")
    expect(box.locator("details.live")).to_have_count(0)
    expect(box.locator("details.output pre.out")).to_contain_text("shard 3 is well")
    expect(ben.page.locator("#proc-slow-walk details.output pre.out")).to_contain_text("shard 3 is well")
    ben.page.context.close()
    assert ben.wrong == []


def test_what_destroys_takes_two_people(tab: Tab, server: Server, chromium: Browser) -> None:
    number = declared(server, "Answers are stale")
    page = tab.open(f"/incidents/{number}")
    dana = visiting(chromium, server, "Dana", "commander")
    dana.open(f"/incidents/{number}")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#flash")).to_contain_text("You own it")
    page.locator("#m-empty-the-cache").get_by_role("button", name="Propose").click()
    waiting = page.locator("#approvals article")
    expect(waiting).to_contain_text("kubectl delete pod -l app=cache -n production")
    waiting.get_by_role("button", name="Approve").click()
    expect(waiting).to_contain_text("Somebody else must, too")
    closeup(tab, waiting, "two-people")
    dana.page.locator("#approvals").get_by_role("button", name="Approve").click()
    expect(page.locator("#mitigate")).to_contain_text("Ana, Dana")
    dana.page.context.close()
    assert dana.wrong == []


def test_values_are_picked_from_the_cluster_and_a_hint_only_when_it_is_taken(
    tab: Tab, server: Server, production: Production
) -> None:
    labels = {"alertname": "PodCrash", "severity": "warning", "service": "backend", "pod": "backend-gone"}
    body = json.dumps({"title": "A pod crashes", "labels": labels, "status": "firing"}).encode()
    headers = {"Authorization": f"Bearer {ALERT_TOKEN}", "Content-Type": "application/json"}
    assert server.client.post("/api/v1/alerts/generic", content=body, headers=headers).is_success
    page = tab.open(f"/incidents/{newest(server, server.token('Ana'))}")
    box = page.locator("#proc-pod-crashes")
    box.locator("summary").first.click()
    field = box.get_by_label("pod-name")
    field.focus()
    expect(box.locator("datalist option").first).to_have_text(re.compile("^backend-"), use_inner_text=False)
    expect(box.locator(".hint")).to_contain_text("label pod says backend-gone")
    expect(field).to_have_value("")
    closeup(tab, box, "values")
    box.get_by_role("button", name="Take it over").click()
    expect(field).to_have_value("backend-gone")
    field.fill("--kubeconfig=/tmp/x")
    box.get_by_role("button", name="Run all").click()
    expect(box.locator(".why")).to_be_visible()
    expect(field).to_have_value("--kubeconfig=/tmp/x")
    closeup(tab, box, "refused-value")


def test_a_proposals_link_decides_only_by_its_button(chromium: Browser, server: Server) -> None:
    number = declared(server, "Sessions are lost", "SEV2")
    proposed = server.client.post(f"/api/v1/incidents/{number}/mitigations/rollback", headers=server.token("Ben"))
    assert proposed.status_code == 202
    link = server.until(lambda: re.findall(r"http\S+/approve/\S+", server.log))[-1]
    context = chromium.new_context(viewport=DEVICES["phone"])
    tab = Tab(context.new_page(), server.url)
    page = tab.page
    page.goto(link)
    expect(page.get_by_role("heading", name="Rollback")).to_be_visible()
    closeup(tab, page.locator("main"), "approve-link")
    page.get_by_role("button", name="Approve and run as Ana").click()
    expect(page.get_by_role("status")).to_contain_text("Approved by Ana. It runs now.")
    context.close()
    assert not tab.wrong, tab.wrong


def test_a_linked_document_opens_from_where_it_is_mentioned(tab: Tab, server: Server) -> None:
    number = declared(server, "A node is gone")
    page = tab.open(f"/incidents/{number}")
    page.locator("#m-failover").get_by_role("link").click()
    box = page.locator("#doc-disaster-recovery")
    expect(box).to_be_visible()
    for one in box.locator("details.procedure").all():
        one.evaluate("(box) => { box.open = true }")
    closeup(tab, box, "linked")
    cordon = box.locator(".step", has_text="Keep new pods away")
    cordon.get_by_label("node-name").fill("node-2")
    cordon.get_by_role("button", name="Propose").click()
    expect(page.locator("#approvals article")).to_contain_text("disaster-recovery.md, line")
    closeup(tab, page.locator("#approvals article"), "approval")


def test_an_admin_breaks_the_glass_for_a_reason(server: Server, chromium: Browser) -> None:
    number = declared(server, "Everything burns")
    ada = visiting(chromium, server, "Ada", "admin")
    page = ada.open(f"/incidents/{number}")
    glass = page.locator("#m-rollback details.glass")
    glass.locator("summary").click()
    closeup(ada, glass, "glass")
    glass.get_by_label("Why nobody else").fill("everybody is asleep")
    glass.get_by_role("button", name="Run it now").click()
    expect(page.locator("#lines")).to_contain_text("BREAK-GLASS: Ada ran Rollback at once, unapproved")
    expect(page.locator("#mitigate")).to_contain_text("break-glass by Ada: everybody is asleep")
    page.context.close()
    assert ada.wrong == []


@pytest.mark.skipif("TOCSIN_SCREENSHOTS" not in os.environ, reason="only makes pictures: set TOCSIN_SCREENSHOTS=DIR")
def test_the_other_pages_are_photographed(tab: Tab, server: Server) -> None:
    for name in ("oncall", "runbook", "status", "report"):
        tab.open(f"/{name}")
        photograph(tab, name)
    tab.open("/incidents/999")
    photograph(tab, "missing", whole=False)
    tab.page.context.clear_cookies()
    tab.open("/signin")
    photograph(tab, "signin", whole=False)
