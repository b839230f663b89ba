"""Every entry told once, though it may come to our ears twice: as our own commit, and by following the database."""

from __future__ import annotations

REMEMBERED = 20_000


class Once:
    """Remembers the latest (incident id, seq) that were told."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, int], None] = {}

    def first_time(self, incident_id: str, seq: int) -> bool:
        """Whether it was not asked before."""
        key = (incident_id, seq)
        if key in self._told:
            return False
        self._told[key] = None
        if len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]
        return True
