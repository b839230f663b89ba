"""The Atom feed: always XML, whatever was published, and its ids never move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tocsin.statuspage.feed import atom
from tocsin.statuspage.view import Impact, PageInfo, PublicIncident, PublicUpdate

T0 = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
PAGE = PageInfo("page-1", "Example", "https://example.com/status")
A = "{http://www.w3.org/2005/Atom}"


def incident(text: str = "We look", *, id_: str = "i-1", title: str = "Slow") -> PublicIncident:
    update = PublicUpdate(f"{id_}-1", "investigating", text, T0)
    return PublicIncident(id_, 1, title, Impact.MAJOR, "shop", T0, (update,))


def entries(feed: bytes) -> list[dict[str, str]]:
    root = ET.fromstring(feed)
    return [{child.tag.removeprefix(A): child.text or "" for child in entry} for entry in root.iter(f"{A}entry")]


def test_an_entrys_id_survives_updates_and_a_move_of_the_page() -> None:
    before = entries(atom(PAGE, [incident()], T0))[0]
    later = replace(
        incident(), updates=(*incident().updates, PublicUpdate("i-1-2", "resolved", "x", T0 + timedelta(1)))
    )
    after = entries(atom(replace(PAGE, url="https://status.example.org"), [later], T0))[0]
    assert before["id"] == after["id"]
    assert (before["updated"], after["updated"]) == ("2026-01-05T10:00:00Z", "2026-01-06T10:00:00Z")


def test_two_incidents_have_two_ids_newest_first() -> None:
    newer = replace(incident(id_="i-2", title="Newer"), created_at=T0 + timedelta(hours=1))
    found = entries(atom(PAGE, [incident(), newer], T0))
    assert [entry["title"] for entry in found] == ["Newer", "Slow"]
    assert found[0]["id"] != found[1]["id"]


def test_markup_in_an_update_is_text_inside_the_entrys_html() -> None:
    content = entries(atom(PAGE, [incident("<script>x</script> ]]> &amp;\x00")], T0))[0]["content"]
    assert "&lt;script&gt;x&lt;/script&gt; ]]&gt; &amp;amp;</p>" in content
    assert "<script" not in content


def test_a_feed_without_incidents_is_dated_by_now() -> None:
    root = ET.fromstring(atom(PAGE, [], T0))
    assert root.findtext(f"{A}updated") == "2026-01-05T10:00:00Z"


@given(st.text(), st.text(), st.text(), st.text(st.characters(categories=["Cc", "Cs", "Co", "Cn"])))
@settings(max_examples=100, deadline=None)
def test_any_text_anywhere_still_parses(text: str, title: str, name: str, odd: str) -> None:
    page = replace(PAGE, name=name + odd, url=f"https://example.com/{odd}")
    assert len(entries(atom(page, [incident(text + odd, title=title + odd, id_=f"i{odd}")], T0))) == 1
