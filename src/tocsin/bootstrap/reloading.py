"""The runbook follows its file: a good edit is put in force for what opens next, a broken one never is.

An incident that is open keeps the edition it opened with. The settings are not read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

import structlog

from tocsin.bootstrap.edition import Calendars, Edition, keep, read_edition
from tocsin.bootstrap.house import House
from tocsin.config import SettingsError
from tocsin.neighbours import named_files
from tocsin.runbook.siblings import targets
from tocsin.store.database import Store

NAME = "runbook"
EVERY_SECONDS = 1.0
"""A file is read when it lay unchanged for one whole turn: within two seconds of the last write, never half written."""

Stamp: TypeAlias = tuple[tuple[str, tuple[int, ...]], ...]
log = structlog.get_logger()


def trouble_with(name: str) -> str:
    """What trouble with the runbook of that name is called."""
    return f"{NAME} {name}" if name else NAME


class Reloading:
    """Watches one runbook and the documents that it names; `house.troubles` says why an edit is refused, under
    `trouble_with` its name."""

    def __init__(self, house: House, edition: Edition, *, store: Store, calendars: Calendars) -> None:
        self._path = house.settings.runbook_file(edition.name)
        self._trouble = trouble_with(edition.name)
        self._house = house
        self._edition = edition
        self._store = store
        self._calendars = calendars
        self._read = self._seen = self._stamp()

    async def run(self) -> None:
        """Looks until cancelled."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """One look at the files: reads them when they changed since they were read, and not since the last look."""
        stamp = self._stamp()
        settled = stamp == self._seen
        self._seen = stamp
        if not settled or stamp == self._read:
            return
        self._read = stamp
        try:
            edition = read_edition(self._house.settings, self._calendars, self._edition.name)
            self._refuse_a_lost_document(edition)
        except SettingsError as exc:
            self._house.troubles[self._trouble] = _broken(exc.problems, self._path)
            log.warning("runbook_edit_refused", reasons=exc.problems)
            return
        if edition.digests != self._edition.digests:
            self._put_in_force(edition)
        self._house.troubles.pop(self._trouble, None)

    def _put_in_force(self, edition: Edition) -> None:
        """Kept first, so that no incident opens with an edition that a restart could not find again."""
        keep(self._store, edition, self._house.core.clock.now())
        # Between two transactions, never within one: what opens is decided under one edition.
        self._store.write(lambda _: self._switch(edition)).result()
        log.info("runbook_reloaded", digest=edition.reading.runbook.digest)

    def _switch(self, edition: Edition) -> None:
        self._edition = edition
        self._house.core.policies.put_in_force(edition.policy, edition.name)
        if edition.name:
            self._house.others[edition.name] = edition
            return
        self._house.reading, self._house.runbook_text = edition.reading, edition.text
        self._house.channels.policy = edition.policy

    def _refuse_a_lost_document(self, edition: Edition) -> None:
        """Raises SettingsError for a document in force that is still named and no longer gives a procedure."""
        path = self._path
        named = named_files(edition.reading, edition.text, path)
        had = {document.file for document, _ in self._edition.documents}
        has = {named.get(document.file) for document, _ in edition.documents}
        names = targets(edition.reading, edition.text)
        lost = [t for t in had if t in names and named.get(t) not in has]
        if lost:
            raise SettingsError(
                f"{path}:{names[t]}: {t}: cannot be read, or has no procedure any more: mend it, or take it out here"
                for t in sorted(lost)
            )

    def _stamp(self) -> Stamp:
        path = self._path
        named = named_files(self._edition.reading, self._edition.text, path)
        return tuple((str(file), _state(file)) for file in (path, *named.values()))


def _state(file: Path) -> tuple[int, ...]:
    """What changes when the file is written, replaced or made readable; empty when it is not there."""
    try:
        found = file.stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)


def _broken(problems: Iterable[str], runbook: Path) -> str:
    """The reasons as a page says them: the runbook by its name, for where it lies is no reader's business."""
    said = "; ".join(problem.replace(str(runbook), runbook.name) for problem in problems)
    return f"the edit is broken, the edition before it stays in force: {said}"
