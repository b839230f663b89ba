"""The static page: whole files, readable by the web server, and one clear line when it cannot be written."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from tocsin.statuspage.errors import DestinationError, PublishError
from tocsin.statuspage.publish import destination, files, publish
from tocsin.statuspage.view import PageInfo

T0 = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
PAGE = PageInfo("page-1", "Example", "https://example.com/status")


def test_the_folder_has_the_page_the_documents_and_the_feed(tmp_path: Path) -> None:
    publish(tmp_path / "status", files(PAGE, [], [], index="<h1>Example</h1>", now=T0))
    root = tmp_path / "status"
    assert (root / "index.html").read_text() == "<h1>Example</h1>"
    assert msgspec.json.decode((root / "api/v2/summary.json").read_bytes())["status"]["indicator"] == "none"
    assert (root / "api/v2/incidents/unresolved.json").exists()
    assert (root / "feed.atom").read_bytes().startswith(b"<?xml")


def test_everybody_may_read_and_no_temporary_file_stays(tmp_path: Path) -> None:
    publish(tmp_path, {"index.html": b"one"})
    publish(tmp_path, {"index.html": b"two"})
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    assert (tmp_path / "index.html").read_bytes() == b"two"
    assert (tmp_path / "index.html").stat().st_mode & 0o777 == 0o644


def test_the_page_is_written_after_what_it_stands_for() -> None:
    assert list(files(PAGE, [], [], index="", now=T0))[-1] == "index.html"


def test_a_folder_that_cannot_be_written_is_one_clear_line_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "index.html").mkdir()
    with pytest.raises(PublishError, match=r"^cannot write the status page's index.html into .*: Is a directory$"):
        publish(tmp_path, {"index.html": b"x"})
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


@pytest.mark.parametrize("setting", ["file:/srv/status", "file:///srv/status", "file://localhost/srv/status"])
def test_a_file_address_names_a_folder(setting: str) -> None:
    assert destination(setting) == Path("/srv/status")


@pytest.mark.parametrize("setting", ["", "/srv/status", "file:status", "s3://bucket", "file://elsewhere/srv"])
def test_any_other_destination_is_refused_with_the_remedy(setting: str) -> None:
    with pytest.raises(DestinationError, match="must be an absolute folder"):
        destination(setting)
