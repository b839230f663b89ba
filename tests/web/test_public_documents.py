"""The public status page's JSON and feed: for anybody, and nothing internal in them."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from sites import Site

from tocsin.web.public import DOCUMENTS

PATHS = (*(f"/api/v2/{path}" for path in DOCUMENTS), "/status/feed.atom")


@pytest.mark.parametrize("path", PATHS)
async def test_anybody_reads_it_for_half_a_minute(site: Site, path: str) -> None:
    answer = await (await site.of(None)).get(path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=30"
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_the_summary_says_what_was_published_and_no_more(site: Site) -> None:
    await site.declare(title="SECRET-TITLE", summary="SECRET-SUMMARY", service="backend")
    await site.post("/1/notes", {"text": "SECRET-NOTE"})
    await site.post("/1/status", {"status": "identified", "text": "We know why."})
    anybody = await site.of(None)
    summary = (await anybody.get("/api/v2/summary.json")).json()
    assert summary["status"]["indicator"] == "critical"
    assert summary["components"][0]["status"] == "major_outage"
    assert summary["incidents"][0]["status"] == "identified"
    assert summary["incidents"][0]["incident_updates"][0]["body"] == "We know why."
    for path in PATHS:
        text = (await anybody.get(path)).text
        assert "SECRET" not in text
        assert "SEV1" not in text
        assert "Ana" not in text


async def test_an_incident_that_is_over_leaves_the_summary_and_stays_in_the_list(site: Site) -> None:
    await site.declare()
    await site.post("/1/resolve", {"reason": "a drill"})
    assert (await (await site.of(None)).get("/api/v2/summary.json")).json()["incidents"] == []
    listed = (await (await site.of(None)).get("/api/v2/incidents.json")).json()["incidents"]
    assert [i["status"] for i in listed] == ["resolved"]


@pytest.mark.parametrize("path", ["/api/v2/summary.json", "/status/feed.atom"])
async def test_what_the_reader_has_is_not_sent_again(site: Site, path: str) -> None:
    anybody = await site.of(None)
    await site.declare()
    tag = (await anybody.get(path)).headers["etag"]
    for had in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await anybody.get(path, headers={"If-None-Match": had})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    await site.post("/1/status", {"status": "monitoring"})
    assert (await anybody.get(path, headers={"If-None-Match": tag})).status_code == 200


async def test_the_feed_is_atom(site: Site) -> None:
    await site.declare()
    answer = await (await site.of(None)).get("/status/feed.atom")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    assert len(ET.fromstring(answer.content).findall("{http://www.w3.org/2005/Atom}entry")) == 1
