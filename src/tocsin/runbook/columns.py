"""Which column of a table says what, by the wording of its header."""

from __future__ import annotations

import re

from tocsin.runbook.document import Row, Table
from tocsin.runbook.wording import plain

DESCRIPTION = r"descri|defini|impact|meaning|criteria|what it means"
EXAMPLES = r"exampl|e\.g\."
LEVEL = r"^(?:severity|sev|level|priority|class(?:ification)?)\b(?!.*\b(?:change|of alert)\b)"
WHEN = r"when|situation|issue|symptom|cause|condition|scenario|problem|trigger"
COMMAND = r"^(?:command|commands|how|run|how to(?: run)?|execute)$|command"


def find(table: Table, wanted: str, *, unlike: str = r"(?!)") -> int | None:
    """The first column whose header matches `wanted` and not `unlike`, without case; None when there is none."""
    for index, cell in enumerate(table.header):
        name = plain(cell).casefold()
        if re.search(wanted, name) and not re.search(unlike, name):
            return index
    return None


def cell(row: Row, column: int | None) -> str:
    """The words of that cell, undressed; empty when there is no such column."""
    return plain(row.cells[column]) if column is not None else ""
