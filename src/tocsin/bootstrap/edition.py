"""One edition of the runbook: the document, what it links to, and the policy that comes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from tocsin.config import Settings, SettingsError, check_against, roster, rules
from tocsin.incident.policy import Policy
from tocsin.neighbours import linked_documents
from tocsin.runbook.model import Reading, Runbook
from tocsin.runbook.reader import read
from tocsin.store.database import Store
from tocsin.store.tx import Tx

Calendars = Callable[[], Mapping[str, str]]
log = structlog.get_logger()


@dataclass(frozen=True)
class Edition:
    """`documents` are the linked ones, each with its text; `name` is under [runbooks], empty for the main one."""

    reading: Reading
    text: str
    documents: tuple[tuple[Runbook, str], ...]
    policy: Policy
    name: str = ""

    @property
    def digests(self) -> tuple[str, ...]:
        """What tells this edition from another."""
        return (self.reading.runbook.digest, *(document.digest for document, _ in self.documents))


def read_runbook(path: Path) -> tuple[Reading, str]:
    """The document and its text. Raises SettingsError when it cannot be read, or nothing can be run from it."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SettingsError([f"runbook {path}: no such file: name another with --runbook"]) from None
    except IsADirectoryError:
        raise SettingsError([f"runbook {path}: is a directory: name the Markdown file in it"]) from None
    except UnicodeDecodeError:
        raise SettingsError([f"runbook {path}: is not UTF-8 text: save it as UTF-8"]) from None
    except OSError as exc:
        raise SettingsError([f"runbook {path}: cannot be read: {exc.strerror}"]) from None
    reading = read(text, file=str(path))
    if reading.errors:
        said = [f"{path}:{f.line}:{f.column}: {f.code}: {f.message}: {f.hint}".rstrip(": ") for f in reading.errors]
        raise SettingsError(said)
    return reading, text


def read_edition(settings: Settings, calendars: Calendars, name: str = "") -> Edition:
    """The edition of the runbook of that name that lies on the disk now. `calendars` gives the feeds of the schedules,
    asked for last.

    Raises SettingsError with every reason when it cannot be put in force.
    """
    path = settings.runbook_file(name)
    reading, text = read_runbook(path)
    wrong = check_against(settings, reading.runbook, name=name)
    if wrong:
        raise SettingsError(wrong)
    documents = tuple(linked_documents(reading, text, path, unread=_unread))
    policy = Policy(
        reading.runbook,
        roster(settings, feeds=calendars(), runbook=reading.runbook),
        rules(settings, name=name),
        link=settings.public_url.rstrip("/") + "/incidents/{number}",
        linked=tuple(document for document, _ in documents),
    )
    return Edition(reading, text, documents, policy, name)


def read_others(settings: Settings, calendars: Calendars) -> dict[str, Edition]:
    """Those of [runbooks], by name. Raises SettingsError."""
    return {name: read_edition(settings, calendars, name) for name in settings.runbooks}


def _unread(file: Path, reason: str) -> None:
    log.warning("linked_document_not_read", file=file.name, reason=reason)


def keep(store: Store, edition: Edition, now: datetime) -> None:
    """Keeps each document by its digest, for the incidents that open with it. Blocks until it is durable."""

    def put(tx: Tx) -> None:
        for document, text in ((edition.reading.runbook, edition.text), *edition.documents):
            tx.put_runbook(document.digest, document.file, text, now)

    store.write(put).result()
