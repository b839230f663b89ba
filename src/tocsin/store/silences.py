"""Statements on silences, and on the alerts that something holds back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec
from sqlalchemy import func, insert, select, text, update

from tocsin.engine.records import AlertRecord
from tocsin.incident.alert import Alert
from tocsin.incident.silences import Silence
from tocsin.store import asking, rows
from tocsin.store import schema as t
from tocsin.store.part import Part
from tocsin.store.times import to_db

Wanted = Callable[[Alert], bool]
_SILENCE = msgspec.json.Decoder(Silence)


class Silences(Part):
    """The part of a transaction that is about them. Silences are not staged."""

    _silences: tuple[Silence, ...] | None

    def put_silence(self, silence: Silence) -> None:
        """Keeps a new one, or one that was ended early."""
        c = t.silence.c
        row = {"ends_at": to_db(silence.ends_at), "data": rows.json(silence)}
        found = self._settled().execute(update(t.silence).where(c.id == silence.id).values(**row))
        if not found.rowcount:
            kept = row | {"id": silence.id, "created_at": to_db(silence.created_at)}
            self._c.execute(insert(t.silence), kept)
        self._silences = None

    def silence(self, id_: str) -> Silence | None:
        data = self._c.execute(select(t.silence.c.data).where(t.silence.c.id == id_)).scalar()
        return None if data is None else _SILENCE.decode(data)

    def silences(self, now: datetime) -> tuple[Silence, ...]:
        """Those that are not over, the soonest to end first; read once in a transaction that writes."""
        if self._silences is None:
            self._silences = tuple(_SILENCE.decode(data) for data in asking.silences(self._c, to_db(now)))
        return self._silences

    def past_silences(self, now: datetime, limit: int) -> list[Silence]:
        """Those that are over, the latest first."""
        c = t.silence.c
        wanted = select(c.data).where(c.ends_at <= to_db(now)).order_by(c.ends_at.desc(), c.id).limit(limit)
        return [_SILENCE.decode(data) for data in self._c.execute(wanted).scalars()]

    def holds(self) -> dict[str, int]:
        """What holds firing alerts back (see `Alert.held`), and how many each."""
        c = t.alert.c
        counted = select(c.held, func.count()).where(text(t.HELD)).group_by(c.held)
        return {row[0]: row[1] for row in self._settled().execute(counted)}

    def held_by(self, reason: str, limit: int) -> list[AlertRecord]:
        """The next of the alerts that this holds back."""
        wanted = select(t.alert).where(text(t.HELD), t.alert.c.held == reason).limit(limit)
        return [rows.alert(row) for row in self._settled().execute(wanted)]
