"""Fetches the calendar feeds that schedules name. Refuses to understand them: `tocsin.oncall.calendar` does that."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tocsin.config.errors import SettingsError
from tocsin.config.model import Settings

TIMEOUT_SECONDS = 5.0
MAX_BYTES = 5_000_000
_SCHEMES = {"http": "http", "https": "https", "webcal": "https", "webcals": "https"}


class FeedError(Exception):
    """A feed that cannot be read; the message is one line and holds nothing of its address but the host or file."""


def feeds(settings: Settings) -> Mapping[str, str]:
    """The text of every schedule's feed, by schedule name. Raises SettingsError naming each that cannot be read."""
    texts: dict[str, str] = {}
    wrong: list[str] = []
    folder = settings.origin.folder
    for name, schedule in settings.schedules.items():
        if schedule.ical is None:
            continue
        try:
            texts[name] = fetch(schedule.ical.get_secret_value(), folder=folder)
        except FeedError as error:
            wrong.append(f"{settings.origin.place(('schedules', name, 'ical'))} ical: {error}")
    if wrong:
        raise SettingsError(wrong)
    return texts


def fetch(source: str, *, folder: Path, transport: httpx.BaseTransport | None = None) -> str:
    """The text at `source`: an http, https or webcal URL, or a file, relative to `folder`. Raises FeedError.

    The whole of a URL's answer may take 5 seconds for each wait and 5 MB; redirects are followed.
    """
    scheme, _, rest = source.partition("://")
    if rest and scheme not in _SCHEMES:
        raise FeedError(f"cannot read {scheme}:// feeds: give an https URL or the path of a file")
    content = _downloaded(f"{_SCHEMES[scheme]}://{rest}", transport) if rest else _read(folder / source)
    with contextlib.suppress(UnicodeDecodeError):
        return content.decode("utf-8-sig")
    return content.decode("latin-1")  # old exporters write it, and every byte is a character there


def _read(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FeedError(f"file {path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise FeedError(f"file {path} is larger than {MAX_BYTES} bytes: no calendar is")
    return content


def _downloaded(url: str, transport: httpx.BaseTransport | None) -> bytes:
    host = _host(url)
    content = b""
    try:
        client = httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=True, transport=transport)
        with client, client.stream("GET", url) as answer:
            if answer.status_code != httpx.codes.OK:
                raise FeedError(f"{host} answered {answer.status_code}: check that the address is still shared")
            for chunk in answer.iter_bytes():
                content += chunk
                if len(content) > MAX_BYTES:
                    raise FeedError(f"the feed of {host} is larger than {MAX_BYTES} bytes: no calendar is")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # an error's own text may repeat the address, which is the secret of a private calendar
        raise FeedError(
            f"{host} cannot be reached ({type(error).__name__}): check the address and the network"
        ) from None
    return content


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "the address"
    except ValueError:
        return "the address"
