"""What goes wrong with a signal:

SignalError   the sender's body cannot be read; `field` says where. Sending the same body again cannot help.
SourceError   a watched file or command gives no lines just now. The watcher tells of it and tries again.
"""

from __future__ import annotations


class SignalError(Exception):
    """A body that is not what its source sends. `field` is a path, `alerts[3].startsAt`, empty for the whole body."""

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.reason = reason
        self.field = field


class SourceError(Exception):
    """Nothing to read at the moment; `reason` is one line for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
