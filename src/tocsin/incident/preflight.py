"""What was looked at before and after a mitigation, as values. Whoever looks lives elsewhere."""

from __future__ import annotations

from msgspec import Struct


class Check(Struct, frozen=True):
    """One thing looked at: `state` is passed, failed or unknown, `said` one sentence on what was seen."""

    what: str
    state: str
    said: str
