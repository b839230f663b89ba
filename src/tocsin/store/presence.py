"""A replica's sign of life, and its ear: who lives, who died and left work behind, who committed something new.

One connection of its own. While it is open it holds a lock that is free as soon as the process is gone; for one that is
frozen, or cut off, there is the beat that it writes. Nothing here is needed for anything to be right: a lease that
nobody gives back runs out, and a change that nobody tells is found by looking.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

import psycopg
import structlog

from tocsin.store.clocks import DatabaseClock, elapsed
from tocsin.store.postgres import NOW

log = structlog.get_logger()
ALIVE = 0x746F6373
"""The first half of the lock that says that a replica lives; its number is the second."""
CHANNEL = "tocsin"
BEAT_SECONDS = 0.25
SURE_SECONDS = 0.1
"""Soon after a lock was found free it is looked at again: its holder may only have changed its connection."""
DEAD_SECONDS = 3.0
"""After so long without a beat a replica counts as dead although its connection stands: it is frozen or cut off."""
SPACED_SECONDS = 0.05
"""At most so often the others are told of commits: each telling takes a lock of the whole database."""
AGAIN_SECONDS = 2.0
"""After so long a death is said again: what followed from it may have failed."""
Connected: TypeAlias = psycopg.Connection[tuple[Any, ...]]

_JOIN = f"""
INSERT INTO replica (id, version, started_at, beat_at) VALUES (%(id)s, %(version)s, {NOW}, {NOW})
ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at RETURNING number
"""  # noqa: S608
_BEAT = f"UPDATE replica SET beat_at = {NOW} WHERE id = %(id)s RETURNING beat_at"  # noqa: S608
_UP = "extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8"
_OTHERS = f"""
SELECT id, (({NOW} - beat_at) / 1000000.0)::float8, {_UP},
       EXISTS (SELECT 1 FROM pg_locks AS held
               WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND classid::bigint = {ALIVE}
                 AND objid::bigint = replica.number
                 AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
FROM replica WHERE id <> %(id)s
UNION ALL
SELECT DISTINCT owner, 0::float8, {_UP}, false FROM work
WHERE state = 'leased' AND owner <> %(id)s AND owner NOT IN (SELECT id FROM replica)
"""  # noqa: S608
"""Who is known, and who has work in hand without being known: it died before it joined, or after it was buried."""


class Presence:
    """Begun by `start`, ended by `stop`; in between it keeps itself up, whatever the database does."""

    def __init__(
        self, connect: Callable[[], Connected], *, id_: str, version: str, clock: DatabaseClock,
        died: Callable[[str], object],
    ) -> None:  # fmt: skip
        """`died` is called, from a thread, with the id of a replica that is gone."""
        self.id = id_
        self.heard: Callable[[], None] = lambda: None
        """Called from a thread when another replica has committed something, or may have."""
        self._connect = connect
        self._version = version
        self._clock = clock
        self._died = died
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._news = self._leaving = False
        self._told_at = self._beat_at = 0.0
        self._suspects: frozenset[str] = frozenset()
        self._said: dict[str, float] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tocsin-presence", daemon=True)

    def start(self) -> None:
        """Comes back once it is known as alive, if the database answers. Raises nothing that the database may raise."""
        connection: Connected | None = None
        with suppress(psycopg.Error):
            connection = self._join()
        self._first = connection
        self._thread.start()

    def committed(self) -> None:
        """Something was committed here: the others will be told, soon and once."""
        if not self._news and not self._stopping.is_set():
            self._news = True
            self._nudge()

    def leave(self) -> None:
        """No further sign of life; who is told goodbye of need not be found dead."""
        self._leaving = True

    def stop(self) -> None:
        """Tells what is to be told yet, and ends."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._nudge()
        self._thread.join(timeout=10)
        os.close(self._wake)
        os.close(self._woken)

    def _nudge(self) -> None:
        with suppress(OSError):  # full: it has been nudged; closed: it is over
            os.write(self._wake, b"!")

    def _run(self) -> None:
        connection = self._first
        while not self._stopping.is_set():
            try:
                if connection is None and self._leaving:
                    return
                connection = connection or self._join()
                self._turn(connection)
            except psycopg.Error as exc:
                log.warning("presence_lost", reason=" ".join(str(exc).split()))
                if connection is not None:
                    connection.close()
                connection = None
                self._stopping.wait(BEAT_SECONDS)
        if connection is not None:
            with suppress(psycopg.Error):
                self._tell(connection)
            connection.close()

    def _join(self) -> Connected:
        connection = self._connect()
        number = self._known_as(connection)
        connection.execute("SELECT pg_try_advisory_lock(%s::int, %s::int)", (ALIVE, number))
        connection.execute(f"LISTEN {CHANNEL}".encode())
        self._suspects = frozenset()
        self.heard()  # what was told meanwhile is lost
        return connection

    def _known_as(self, connection: Connected) -> int:
        row = connection.execute(_JOIN.encode(), {"id": self.id, "version": self._version}).fetchone()
        return int(row[0]) if row else 0

    def _turn(self, connection: Connected) -> None:
        """Waits until something is to be done, and does it."""
        now = time.monotonic()
        every = SURE_SECONDS if self._suspects else BEAT_SECONDS
        until = [self._beat_at + every] + [self._told_at + SPACED_SECONDS] * self._news
        ready, _, _ = select.select([connection.fileno(), self._woken], [], [], max(0.0, min(until) - now))
        if self._woken in ready:
            os.read(self._woken, 4096)
        now = time.monotonic()
        if now >= self._told_at + SPACED_SECONDS:
            self._tell(connection)
        if now >= self._beat_at + every:
            self._beat_at = now
            self._beat(connection)
            self._look_around(connection)
        if [n for n in connection.notifies(timeout=0) if n.pid != connection.info.backend_pid]:
            self.heard()

    def _tell(self, connection: Connected) -> None:
        if self._news:
            self._news, self._told_at = False, time.monotonic()
            connection.execute(f"NOTIFY {CHANNEL}".encode())

    def _beat(self, connection: Connected) -> None:
        if self._leaving:
            return
        asked = elapsed()
        row = connection.execute(_BEAT.encode(), {"id": self.id}).fetchone()
        if row is not None:
            self._clock.heard(row[0], asked=asked)
            return
        # the others took us for dead, as after a long freeze: what we had in hand is theirs now
        log.warning("presence_was_missed", replica=self.id)
        number = self._known_as(connection)
        connection.execute("SELECT pg_advisory_unlock_all()")
        connection.execute("SELECT pg_try_advisory_lock(%s::int, %s::int)", (ALIVE, number))

    def _look_around(self, connection: Connected) -> None:
        """A lock found free twice in a row, or a long silence, is death. After a restart of the server all get time."""
        suspects = set()
        for id_, silent, server_up, alive in connection.execute(_OTHERS.encode(), {"id": self.id}).fetchall():
            settled = server_up > DEAD_SECONDS
            if not alive and settled:
                suspects.add(id_)
            if id_ in suspects & self._suspects or (silent > DEAD_SECONDS and settled):
                self._say_dead(id_, silent=float(silent), connected=alive)
        self._suspects = frozenset(suspects)

    def _say_dead(self, id_: str, *, silent: float, connected: bool) -> None:
        now = time.monotonic()
        if now < self._said.get(id_, 0.0):
            return
        self._said = {known: until for known, until in self._said.items() if until > now} | {id_: now + AGAIN_SECONDS}
        log.warning("replica_died", replica=id_, silent_seconds=round(silent, 3), connected=connected)
        self._died(id_)
