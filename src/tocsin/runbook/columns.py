"""Which column of a table says what, by the wording of its header."""

from __future__ import annotations

import re
from functools import lru_cache

from tocsin.runbook.document import Row, Table
from tocsin.runbook.wording import plain

DESCRIPTION = r"descri|defini|impact|meaning|criteri|what it means|описан|描述|定义"
EXAMPLES = r"exampl|e\.g\.|exempl|ejempl|пример|示例"
LEVEL = (
    r"^(?:(?:incident |alert )?(?:severity|sev|level|priority|class(?:ification)?)|"
    r"severidade|gravidade|severidad|gravedad|prioridad[e]?|gravit[eé]|s[eé]v[eé]rit[eé]|n[ií]ve(?:l|is)|niveau|уровень|级别|等级|严重)"
    r"(?!\w)(?!.*\b(?:change|of alert)\b)"
)
WHEN = r"when|^incident(?: type)?$|^goal$|situation|issue|symptom|cause|condition|scenario|problem|trigger"
COMMAND = r"^(?:command|commands|how|run|how to(?: run)?|execute)$|command"


def find(table: Table, wanted: str, *, unlike: str = r"(?!)") -> int | None:
    """The first column whose header matches `wanted` and not `unlike`, without case; None when there is none."""
    return _find(table.header, wanted, unlike)


@lru_cache(maxsize=4096)  # each table is asked for a dozen columns, and many tables have the same header
def _find(header: tuple[str, ...], wanted: str, unlike: str) -> int | None:
    for index, cell in enumerate(header):
        name = plain(cell).casefold()
        if re.search(wanted, name) and not re.search(unlike, name):
            return index
    return None


def cell(row: Row, column: int | None) -> str:
    """The words of that cell, undressed; empty when there is no such column."""
    return plain(row.cells[column]) if column is not None else ""
