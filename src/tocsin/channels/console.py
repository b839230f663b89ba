"""Messages as readable blocks on a text stream: the channel of the demo and of last resort. Refuses to decide."""

from __future__ import annotations

import asyncio
from typing import TextIO

from tocsin.channels.text import one_line
from tocsin.channels.wording import headline, said
from tocsin.engine.ports import DeliveryError, Message

WIDTH = 78


class Console:
    """Writes each message as one block, in one write. The stream stays its owner's: `close` leaves it open."""

    def __init__(self, stream: TextIO, *, name: str = "console") -> None:
        self.name = name
        self._stream = stream
        self._turn = asyncio.Lock()

    def __repr__(self) -> str:
        return f"Console({self.name!r})"

    def accepts(self, message: Message) -> bool:
        return True

    async def deliver(self, message: Message) -> None:
        """Writes in a thread: a pipe that nobody reads must not hold up the pages of the others."""
        async with self._turn:
            try:
                await asyncio.to_thread(self._write, block(message))
            except ValueError as exc:
                raise DeliveryError(f"{self.name}: the stream is closed", permanent=True) from exc
            except OSError as exc:
                # some of it may have been read before the stream failed
                raise DeliveryError(f"{self.name}: {exc.strerror or exc}", uncertain=True) from exc

    async def close(self) -> None:
        return

    def _write(self, text: str) -> None:
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(text.encode(encoding, "replace").decode(encoding))
        self._stream.flush()


def block(message: Message) -> str:
    """The message as a person reads it, a rule above it and an empty line below."""
    lines = [f"== {message.kind.upper()} {headline(message)} ".ljust(WIDTH, "=")]
    if message.to is not None:
        role = f" ({one_line(message.to.role)})" if message.to.role else ""
        lines.append(f"to:          {one_line(message.to.person.name)}{role}")
    if message.possible_duplicate:
        lines.append("note:        possibly sent before")
    lines += ["", *said(message).strip("\n").split("\n"), ""]
    if message.acknowledge_url:
        lines.append(f"acknowledge: {one_line(message.acknowledge_url, limit=2000)}")
    if message.approve_url:
        lines.append(f"decide:      {one_line(message.approve_url, limit=2000)}")
    lines.append(f"incident:    {one_line(message.incident.link, limit=2000)}")
    lines.append(f"message:     {one_line(message.idempotency_key)}")
    return "\n".join(lines) + "\n\n"
