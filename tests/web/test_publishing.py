"""The public page as files: what is served, readable without us."""

from __future__ import annotations

import json
from pathlib import Path

from sites import Site

from tocsin.incident.policy import Actor
from tocsin.web.publishing import NAME, Publisher


async def test_the_files_are_the_page_that_is_served(site: Site, tmp_path: Path) -> None:
    house = site.house
    await house.desk.declare(Actor("Ana"), title="secret inner words", severity="SEV1", service="backend")
    folder = tmp_path / "public"
    await Publisher(site.app, house, folder).write()
    page = (folder / "index.html").read_text()
    assert "secret inner words" not in page
    assert "backend" in page
    assert 'href="static/tocsin.css"' in page
    assert (folder / "static" / "tocsin.css").stat().st_size > 0
    assert json.loads((folder / "api/v2/summary.json").read_text())["incidents"]
    assert (folder / "feed.atom").read_bytes().startswith(b"<?xml")


async def test_a_folder_that_cannot_be_written_is_told_and_ends_nothing(site: Site, tmp_path: Path) -> None:
    house = site.house
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    publisher = Publisher(site.app, house, blocked / "public")
    await publisher.write()
    assert "cannot write" in house.troubles[NAME]
    blocked.unlink()
    await publisher.write()
    assert NAME not in house.troubles
