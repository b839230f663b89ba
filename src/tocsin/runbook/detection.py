"""How an incident is noticed: where alerts come from, and what whoever is on call answers for."""

from __future__ import annotations

import re

from tocsin.runbook import columns
from tocsin.runbook.document import Document, Items, Table
from tocsin.runbook.model import AlertSource
from tocsin.runbook.wording import Wording, is_nothing, plain

_SOURCE = r"^(?:alert |monitoring |detection )?source"
_ABOUT = Wording(r"alert|detect|monitor|source", re.IGNORECASE)
_DUTIES = re.compile(
    r"on-?\s?call.*(?:responsibilit|dut(?:y|ies))|(?:responsibilit|dut(?:y|ies)).*on-?\s?call", re.IGNORECASE
)


def alert_sources(document: Document) -> tuple[AlertSource, ...]:
    """The rows of a table whose first column is `Source`, under a heading about alerts or detection."""
    return tuple(
        source
        for section in document.sections
        if section.under(_ABOUT)
        for table in section.tables()
        for source in _table(table)
    )


def responsibilities(document: Document) -> tuple[str, ...]:
    """The list under a heading such as `On-Call Responsibilities`."""
    return tuple(
        plain(item.text)
        for section in document.sections
        if _DUTIES.search(section.title)
        for block in section.blocks
        if isinstance(block, Items)
        for item in block.items
    )


def _table(table: Table) -> list[AlertSource]:
    if not re.search(_SOURCE, plain(table.header[0]).casefold()):
        return []
    kind, examples = columns.find(table, r"type|kind|categor|signal"), columns.find(table, columns.EXAMPLES)
    return [
        AlertSource(plain(row.cells[0]), columns.cell(row, kind), columns.cell(row, examples), row.line)
        for row in table.rows
        if not is_nothing(row.cells[0])
    ]
