"""The public page as an Atom feed (RFC 4287): one entry an incident, its id the same for ever."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree as ET

from tocsin.incident.wording import harmless, one_line
from tocsin.statuspage.view import PageInfo, PublicIncident, newest_first

NAMESPACE = "http://www.w3.org/2005/Atom"
MEDIA_TYPE = "application/atom+xml; charset=utf-8"
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def atom(page: PageInfo, incidents: Sequence[PublicIncident], now: datetime) -> bytes:
    """The feed in UTF-8, newest incident first. `now` dates it only before the first incident."""
    feed = ET.Element("feed", xmlns=NAMESPACE)
    _add(feed, "id", _urn("page", page.id))
    _add(feed, "title", f"{page.name} status")
    _add(feed, "updated", _time(max((i.updated_at for i in incidents), default=now)))
    _add(_add(feed, "author"), "name", page.name)
    _add(feed, "link", rel="alternate", type="text/html", href=page.url)
    _add(feed, "link", rel="self", type="application/atom+xml", href=f"{page.url}/feed.atom")
    for incident in newest_first(incidents):
        _entry(feed, page, incident)
    written: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return written


def _entry(feed: ET.Element, page: PageInfo, incident: PublicIncident) -> None:
    entry = _add(feed, "entry")
    _add(entry, "id", _urn("incident", incident.id))
    _add(entry, "title", one_line(incident.title))
    _add(entry, "published", _time(incident.created_at))
    _add(entry, "updated", _time(incident.updated_at))
    _add(entry, "link", rel="alternate", type="text/html", href=page.link(incident.id))
    _add(entry, "content", _content(incident), type="html")


def _content(incident: PublicIncident) -> str:
    """The updates as HTML, newest first, their text escaped."""
    return "\n".join(
        f"<p><small>{update.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC</small><br>"
        f"<strong>{escape(update.status.capitalize())}</strong> - {_lines(update.text)}</p>"
        for update in reversed(incident.updates)
    )


def _lines(text: str) -> str:
    return "<br>".join(escape(line) for line in harmless(text).strip().split("\n"))


def _add(parent: ET.Element, tag: str, text: str = "", **attributes: str) -> ET.Element:
    """A child whose text and attributes hold only characters that XML 1.0 allows."""
    child = ET.SubElement(parent, tag, {name: _NO_XML.sub("", value) for name, value in attributes.items()})
    child.text = _NO_XML.sub("", text) or None
    return child


def _urn(kind: str, id_: str) -> str:
    """Made of the opaque id alone: moving the page to another address keeps every entry's id."""
    return uuid5(NAMESPACE_URL, f"tocsin:{kind}:{id_.encode('utf-8', 'replace').decode()}").urn


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
