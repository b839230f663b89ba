"""What is wrong with the document's tables and fences as Markdown: parts that are silently lost to every reader."""

from __future__ import annotations

import re
from itertools import pairwise

from tocsin.runbook import columns, findings, levels
from tocsin.runbook.document import Code, Document, Paragraph, Table, is_delimiter, split_cells, walk
from tocsin.runbook.model import Finding
from tocsin.runbook.wording import plain

_ESCAPED = re.compile(r"\s*(?:\\`){3}")
_CELL = 4  # words of a cell that is nothing but a level: `P1 - Critical`


def check(document: Document) -> list[Finding]:
    """Findings on tables that are none, rows longer than their header, and fences never closed."""
    said: list[Finding] = []
    for section in document.sections:
        for block in walk(section.blocks):
            match block:
                case Table():
                    said += _rows(document, block)
                    said += _weighed(document, block)
                case Paragraph():
                    said += _lost_table(document, block)
                    said += _escaped_fence(document, block)
                case Code(closed=False):
                    said.append(_open_fence(document, block))
                case _:
                    pass
    return said


def _rows(document: Document, table: Table) -> list[Finding]:
    said = []
    command = columns.find(table, columns.COMMAND)
    for row in table.rows:
        if not row.surplus:
            continue
        width = len(table.header)
        source = document.source(row.line)
        place = (row.line, _pipe_in_code(source) or document.column(row.line, ""))
        message = f"this row has {width + row.surplus} cells and its header {width}; "
        if command is not None:
            message += "the command is cut at the first unescaped `|` and is not read"
            said.append(findings.at(findings.CUT_COMMAND, place, message, "Write the pipe inside the cell as `\\|`."))
        else:
            message += f"the last {row.surplus} are lost"
            said.append(findings.at(findings.SURPLUS_CELLS, place, message, "Write a pipe inside a cell as `\\|`."))
    return said


def _weighed(document: Document, table: Table) -> list[Finding]:
    """What is said of a table that weighs one thing against another into a level: words along its sides, levels in its
    cells."""
    inner = [cell for row in table.rows for cell in row.cells[1:] if plain(cell)]
    sides = [*table.header[1:], *(row.cells[0] for row in table.rows)]
    if len(table.header) < 3 or not inner or not all(_is_code(cell) for cell in inner):
        return []
    if any(_is_code(side) for side in sides) or len({plain(cell) for cell in inner}) < 2:
        return []
    message = "this matrix is not followed: an incident has the severity that its alert or a person gives it"
    return [findings.at(findings.WEIGHED, (table.line, document.column(table.line, "|")), message)]


def _is_code(cell: str) -> bool:
    name = levels.leading(cell)
    return name is not None and any(character.isdigit() for character in name) and len(plain(cell).split()) <= _CELL


def _escaped_fence(document: Document, paragraph: Paragraph) -> list[Finding]:
    lines = (paragraph.line + offset for offset in range(paragraph.text.count("\n") + 1))
    found = [line for line in lines if _ESCAPED.match(document.source(line))]
    hint = "Write ``` without backslashes, here and where the fence ends."
    message = "these marks are escaped and open no fence; what follows is text"
    return [
        findings.at(findings.ESCAPED_FENCE, (line, document.column(line, "\\")), message, hint) for line in found[:1]
    ]


def _pipe_in_code(source: str) -> int | None:
    """The column of the first unescaped pipe between backticks."""
    inside = False
    for column, character in enumerate(source, start=1):
        if character == "`":
            inside = not inside
        elif character == "|" and inside and source[column - 2 : column - 1] != "\\":
            return column
    return None


def _lost_table(document: Document, paragraph: Paragraph) -> list[Finding]:
    lines = paragraph.text.split("\n")
    said = []
    for offset, (header, delimiter) in enumerate(pairwise(lines)):
        if "|" not in header or not is_delimiter(delimiter) or is_delimiter(header):
            continue
        cells, dashes = len(split_cells(header)), len(split_cells(delimiter))
        line = paragraph.line + offset
        message = f"this is read as a paragraph and no table: the header has {cells} cells, the line of dashes {dashes}"
        hint = f"Give the line of dashes {cells} cells: `{'|---' * cells}|`."
        said.append(findings.at(findings.NOT_A_TABLE, (line, document.column(line, "|")), message, hint))
    return said


def _open_fence(document: Document, code: Code) -> Finding:
    place = (code.line, document.column(code.line, ""))
    message = "this fence is never closed; everything to the end of what holds it is taken for code"
    return findings.at(findings.OPEN_FENCE, place, message, "Close it with ``` on a line of its own.")
