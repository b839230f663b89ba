"""How a message reads, whatever carries it. Refuses to know a format."""

from __future__ import annotations

from tocsin.channels.text import clean, one_line
from tocsin.engine.ports import Message


def headline(message: Message) -> str:
    """The incident on one line: `[SEV1] #7 Checkout is down`. The same for all messages while title and level stay."""
    incident = message.incident
    return f"[{one_line(incident.severity)}] #{incident.number} {one_line(incident.title)}"


def said(message: Message) -> str:
    """The text below the headline: the subject first, when it says more than the headline and the text do."""
    subject, text = one_line(message.subject), clean(message.text)
    known = subject in headline(message) or text.startswith(subject)
    return text if known else f"{subject}\n\n{text}"
