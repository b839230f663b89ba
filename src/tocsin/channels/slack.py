"""Messages to a Slack channel through an incoming webhook. Refuses to decide what is sent.

Source: the Slack manual, "Formatting message text" (escape `&`, `<`, `>`; nothing else pings) and "Block Kit" (3,000
characters a section, 50 blocks). An incoming webhook gives no id back: it can neither thread nor edit, and Slack does
not know idempotency keys, so a message sent twice stands there twice and the second says so.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from tocsin.channels.http import TIMEOUT, Poster
from tocsin.channels.text import CUT_NOTE, one_line, pieces
from tocsin.channels.webhook import IDEMPOTENCY, header_safe
from tocsin.channels.wording import headline, said
from tocsin.engine.ports import Message, Recipient

SECTION_LIMIT = 2400
"""Characters, so that a text of nothing but short links still fits Slack's 3,000 with two more for each."""
SECTIONS = 5
URL_LIMIT = 3000

_MEMBER = re.compile(r"^[UW][A-Z0-9]{2,20}$")
_LINK = re.compile(r"https?://(?:(?!&[lg]t;)[^\s<>|\"])+(?<![.,:!?)\]])")


class Slack:
    """One team channel. What is for a person is posted there too, mentioning the person's Slack id when it is known."""

    def __init__(self, url: str, *, name: str = "slack", timeout: float = TIMEOUT) -> None:
        self.name = name
        self._poster = Poster(url, what=name, timeout=timeout)

    def __repr__(self) -> str:
        return f"Slack({self.name!r})"

    def accepts(self, message: Message) -> bool:
        """Everything for the team, and every page; a mere notice to a person only when Slack knows the person."""
        if message.to is None or message.kind == "page":
            return True
        return member(message.to) is not None

    async def deliver(self, message: Message) -> None:
        headers = {"Content-Type": "application/json", IDEMPOTENCY: header_safe(message.idempotency_key)}
        await self._poster.post(msgspec.json.encode(payload(message)), headers)

    async def close(self) -> None:
        await self._poster.close()


def payload(message: Message) -> dict[str, Any]:
    """The body of the POST: `text` is what a notification shows, the blocks are what stands in the channel."""
    heading = _heading(message)
    blocks = [_section(heading), *(_section(linked(piece)) for piece in _body(message))]
    buttons = _buttons(message)
    if buttons:
        blocks.append({"type": "actions", "elements": buttons})
    return {"text": heading, "blocks": blocks, "link_names": False, "unfurl_links": False, "unfurl_media": False}


def escaped(text: str) -> str:
    """The text as Slack shows it literally; `:emoji:` codes and `*bold*` still work, mentions do not."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def linked(text: str) -> str:
    """Escaped text with its web addresses as links: with `verbatim` Slack makes none by itself."""
    return _LINK.sub(lambda found: f"<{found[0]}>", text)


def member(recipient: Recipient) -> str | None:
    """The recipient's Slack id, None when there is none or it could be read as anything but a person."""
    id_ = recipient.person.slack or ""
    return id_ if _MEMBER.match(id_) else None


def _heading(message: Message) -> str:
    again = " (possibly sent before)" if message.possible_duplicate else ""
    return _mention(message) + f"*{escaped(headline(message)).replace('*', '∗')}*" + again


def _mention(message: Message) -> str:
    if message.to is None:
        return ""
    id_ = member(message.to)
    who = f"<@{id_}>" if id_ else escaped(one_line(message.to.person.name))
    return f"{who} ({escaped(one_line(message.to.role))}): "


def _body(message: Message) -> list[str]:
    written = pieces(said(message), limit=SECTION_LIMIT, write=escaped)
    return written if len(written) <= SECTIONS else [*written[:SECTIONS], f"_{CUT_NOTE}_"]


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _buttons(message: Message) -> list[dict[str, Any]]:
    buttons = []
    if message.kind == "page" and _fits(message.acknowledge_url):
        buttons.append(_button("Acknowledge", message.acknowledge_url or "", style="primary"))
    if _fits(message.approve_url):
        buttons.append(_button("Approve or reject", message.approve_url or ""))
    if _fits(message.incident.link):
        buttons.append(_button("Open incident", message.incident.link))
    return buttons


def _button(label: str, url: str, **more: str) -> dict[str, Any]:
    action = label.lower().replace(" ", "_")
    return {"type": "button", "action_id": action, "text": {"type": "plain_text", "text": label}, "url": url, **more}


def _fits(url: str | None) -> bool:
    """Whether Slack takes it: it refuses the whole message for a button whose address is too long or none."""
    return bool(url) and len(url or "") <= URL_LIMIT and (url or "").startswith(("http://", "https://"))
