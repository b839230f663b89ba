"""The documents that the runbook links to, as the room opens them: procedures, under the runbook's rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from urllib.parse import unquote, urlsplit

from tocsin.incident import library
from tocsin.incident.state import Incident
from tocsin.runbook.model import Link, Runbook
from tocsin.web.pages.step_view import ProcedureView, procedure_view


@dataclass(frozen=True)
class DocumentView:
    """`anchor` is where it stands in the room; `target` the runbook's link to it, empty when only a path names it."""

    title: str
    file: str
    anchor: str
    target: str
    procedures: tuple[ProcedureView, ...]

    @property
    def running(self) -> bool:
        return any(p.running for p in self.procedures)


def documents(incident: Incident, runbook: Runbook, linked: Sequence[Runbook]) -> tuple[DocumentView, ...]:
    """Those that have something to run, in the order of the runbook."""
    found = (_document(incident, runbook, document) for document in linked)
    return tuple(document for document in found if document.procedures)


def opened_by(link: Link | None, found: Sequence[DocumentView]) -> DocumentView | None:
    """The document that a link leads to; None when it is not among them."""
    name = file_name(link.target) if link else ""
    return next((document for document in found if name and document.file == name), None)


def file_name(target: str) -> str:
    return PurePath(unquote(urlsplit(target).path)).name


def _document(incident: Incident, runbook: Runbook, document: Runbook) -> DocumentView:
    name = file_name(document.file)
    target = next((k.target for k in runbook.links if file_name(k.target) == name), "")
    procedures = tuple(procedure_view(incident, document, p) for p in library.procedures_of(document))
    return DocumentView(document.title or name, name, f"doc-{library.prefix(document)}", target, procedures)
