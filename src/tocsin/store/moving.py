"""Statements that give alerts from one incident to another."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import case, func, literal_column, select, text, update

from tocsin.engine.records import AlertRecord
from tocsin.store import schema as t
from tocsin.store.part import Part
from tocsin.store.sending import Told

CHUNK = 500
"""So many fingerprints one statement names: fewer than any database takes."""


class Moving(Part):
    """The part of a transaction that moves alerts. Not staged: it is rare, and about as many as there are."""

    _alerts: dict[str, AlertRecord | None]
    _told: dict[str, Told]

    def move_alerts(self, from_id: str, to_id: str, fingerprints: Collection[str] | None = None) -> tuple[int, int]:
        """Gives the incident's alerts, or those of them, to another incident: (how many, how many of them fire).

        Whoever repeats or resolves one finds it there from now on.
        """
        connection, c = self._settled(), t.alert.c
        firing = func.sum(case((text(t.FIRING), literal_column("1")), else_=literal_column("0")))
        total = fires = 0
        for some in _chunks(fingerprints):
            mine = [c.incident_id == from_id, *([c.fingerprint.in_(some)] if some is not None else [])]
            row = connection.execute(select(func.count(), firing).select_from(t.alert).where(*mine)).one()
            total, fires = total + row[0], fires + int(row[1] or 0)
            connection.execute(update(t.alert).where(*mine).values(incident_id=to_id))
        for fingerprint in [f for f, known in self._alerts.items() if known is not None]:
            del self._alerts[fingerprint]
            self._told.pop(fingerprint, None)
        return total, fires


def _chunks(fingerprints: Collection[str] | None) -> list[list[str] | None]:
    if fingerprints is None:
        return [None]
    ordered = sorted(fingerprints)
    return [ordered[n : n + CHUNK] for n in range(0, len(ordered), CHUNK)]
