"""`/report` is open to anybody: whatever is posted there is a form shown again or a 4xx, and opens nothing."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sites import Site

FORM = "application/x-www-form-urlencoded"
TYPES = st.sampled_from([FORM, "multipart/form-data", "multipart/form-data; boundary=x", "application/json", "", "t/é"])
PART = b"--x\r\nContent-Disposition: form-data; name=title"
BODIES = st.binary(max_size=60) | st.sampled_from(
    [b"title=%ff%fe", b"title=%00", b"title=" + b"x" * 500_000, b"title&&&==", b"--x\r\n\r\n", PART]
)


async def post(site: Site, body: bytes, kind: str) -> httpx.Response:
    stranger = await site.of(None)
    return await stranger.post(
        "/report", content=body, headers=httpx.Headers({"Content-Type": kind} if kind else {}, "utf-8")
    )


@pytest.mark.parametrize("body", [b"", b"title=", b"title=%20%0a", b"service=backend", b"\xff\xfe\x00", b"{}"])
async def test_what_says_nothing_opens_nothing(site: Site, body: bytes) -> None:
    assert (await post(site, body, FORM)).status_code == 422
    assert await site.house.desk.incidents() == []


async def test_a_report_too_large_is_refused(site: Site) -> None:
    assert (await post(site, b"title=" + b"x" * 1_000_001, FORM)).status_code == 413
    assert await site.house.desk.incidents() == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODIES, kind=TYPES)
async def test_no_form_whatever_breaks_the_page(site: Site, body: bytes, kind: str) -> None:
    site.clock.move(minutes=11)
    before = len(await site.house.desk.incidents(limit=500))
    answer = await post(site, body, kind)
    assert answer.status_code in (200, 400, 413, 415, 422, 429), (body, kind, answer.text[:300])
    if answer.status_code != 200:
        assert len(await site.house.desk.incidents(limit=500)) == before
