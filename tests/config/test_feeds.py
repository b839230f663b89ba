from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tocsin.config import Settings, SettingsError
from tocsin.feeds import MAX_BYTES, FeedError, feeds, fetch

Read = Callable[[str], Settings]


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = {"/cal.ics": "BEGIN:VCALENDAR é".encode(), "/big.ics": b"x" * (MAX_BYTES + 1)}.get(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, format: str, *args: object) -> None:
        """Tests stay quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_feed_is_read_from_a_url_or_from_a_file_beside_the_settings(read: Read, tmp_path: Path, address: str) -> None:
    (tmp_path / "b.ics").write_bytes("BEGIN é".encode("latin-1"))
    given = read(f"[schedules.a]\nical = '{address}/cal.ics'\n[schedules.b]\nical = 'b.ics'\n")
    assert feeds(given) == {"a": "BEGIN:VCALENDAR é", "b": "BEGIN é"}


def test_every_feed_that_cannot_be_read_is_named_without_its_address(read: Read, address: str) -> None:
    secret = f"{address}/private-token.ics"
    given = read(f"[schedules.a]\nical = '{secret}'\n[schedules.b]\nical = 'none.ics'\n")
    with pytest.raises(SettingsError) as refused:
        feeds(given)
    first, second = refused.value.problems
    assert first.startswith("tocsin.toml:2: [schedules.a] ical: 127.0.0.1 answered 404")
    assert "none.ics cannot be read" in second
    assert "private-token" not in str(refused.value)


def test_a_feed_too_large_to_be_a_calendar_is_refused(address: str) -> None:
    with pytest.raises(FeedError, match="larger than"):
        fetch(f"{address}/big.ics", folder=Path())


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("http://127.0.0.1:1/private-token.ics", "127.0.0.1 cannot be reached"),
        ("ftp://example.com/x", "cannot read ftp:// feeds"),
        ("https://[bad/private-token", "the address cannot be reached"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused(source: str, reason: str) -> None:
    with pytest.raises(FeedError) as refused:
        fetch(source, folder=Path())
    assert str(refused.value).startswith(reason)
    assert "private-token" not in str(refused.value)
