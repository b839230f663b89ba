"""The pages of senders and signals in headless Chromium: on a phone and a desk, by day and by night."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright
from served import Served, served
from sites import SETTINGS, webhook

from tocsin.store.database import Store

CHROMIUM = shutil.which("chromium") or ""
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip
SIZES = {"phone": ViewportSize(width=360, height=780), "desktop": ViewportSize(width=1280, height=900)}
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
HEARTBEAT = '\n[[sources.heartbeats]]\nname = "nightly-backup"\n'
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("e2e"),
    pytest.mark.skipif(not CHROMIUM, reason="needs Chromium"),
]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("house")
    Store(f"sqlite:///{folder / 'empty.db'}").close()
    with served(folder, database=folder / "empty.db", settings=SETTINGS + HEARTBEAT) as found:
        headers = {"Authorization": f"Bearer {found.environment()['TOCSIN_TOKEN']}"}
        with httpx.Client(base_url=found.url, trust_env=False, headers=headers) as sender:
            sender.post("/api/v1/alerts/alertmanager", content=webhook("firing-group2")).raise_for_status()
            assert sender.post("/api/v1/alerts/grafana", content=b'{"alerts": 3}').status_code == 400
        yield found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def signed_in(chromium: Browser, house: Served, size: str, wrong: list[str]) -> Page:
    """A page of Ana's; what goes wrong in it is put to `wrong`."""
    context = chromium.new_context(viewport=SIZES[size], color_scheme="dark" if size == "phone" else "light")
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.goto(f"{house.url}/signin")
    page.fill("input[name=token]", house.environment()["TOCSIN_TOKEN"])
    page.click("main button")
    return page


@pytest.mark.parametrize("size", list(SIZES))
def test_the_pages_fit_and_log_no_error(chromium: Browser, house: Served, size: str) -> None:
    wrong: list[str] = []
    page = signed_in(chromium, house, size, wrong)
    for path in ("/sources", "/signals", "/signals/1", "/signals/2"):
        page.goto(house.url + path)
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.evaluate(TOO_WIDE) == 0, path
    page.context.close()
    assert wrong == []


def test_a_test_alert_is_one_click_and_then_among_the_signals(chromium: Browser, house: Served) -> None:
    wrong: list[str] = []
    page = signed_in(chromium, house, "phone", wrong)
    page.goto(f"{house.url}/sources")
    page.locator("#opsgenie summary").click()
    page.locator("#opsgenie").get_by_role("button", name="Send a test alert").click()
    expect(page.locator("[role=status]")).to_contain_text("nobody was paged")
    expect(page.locator("main")).to_contain_text("What a real one would bring about now")
    page.get_by_role("link", name="Its signals").click()
    expect(page.locator(".rows li").first).to_contain_text("A test: disk full")
    page.context.close()
    assert wrong == []
