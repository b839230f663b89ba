"""Any bytes in, findings out: no text brings the reader, its report or its mends down."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.runbook.mending import mend
from tocsin.runbook.reader import read
from tocsin.runbook.render import render
from tocsin.runbook.report import as_json, as_text
from tocsin.runbook.sarif import as_sarif

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = (ROOT / "examples" / "qawave" / "incident-response.md").read_text(encoding="utf-8")
ODD = [
    "```",
    "```bash",
    "~~~mermaid\ngraph TD\nA{x?} -->|Yes| B\nA -->|No| A",
    "| a | b |\n|---|",
    "|||\n|-|-|-|",
    "## Severity\n- P0: < 5 min",
    "### Escalation\n1. x → y (T+99999999999999h)\n",
    "Is it? → yes\nIs it?",
    "- [ ]",
    "> - > 1.",
    "\0",
    "\u202e",
    "**",
    "$ sudo \\",
    "# \n## \n",
    "within 99999999999999999 weeks",
    "[a](<b",
    "every day every hour",
    "```sql\n;;\n",
    "\ufeff",
    "#" * 9,
]
FRAGMENTS = [*EXAMPLE.split("\n\n"), *ODD]


def survives(text: str) -> None:
    reading = read(text, file="x.md")
    last = text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    assert all(1 <= found.line <= last and found.column >= 1 for found in reading.findings)
    assert as_text(reading, text.split("\n"))
    assert as_json(reading)
    assert as_sarif([reading])
    assert render(reading.runbook)


@given(st.binary(max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_bytes(data: bytes) -> None:
    survives(data.decode("utf-8", "surrogateescape"))


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=12), st.sampled_from(["\n", "\n\n", "\r\n", " "]))
@settings(max_examples=150, deadline=None)
def test_any_heap_of_fragments(fragments: list[str], joint: str) -> None:
    survives(joint.join(fragments))


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=6))
@settings(max_examples=40, deadline=None)
def test_mending_brings_no_error_and_ends(fragments: list[str]) -> None:
    text = "\n\n".join(fragments)
    result = mend(text, file="x.md")
    assert len(read(result.text, file="x.md").errors) <= len(read(text, file="x.md").errors)
    assert bool(result.mended) == (result.text != text)


@pytest.mark.parametrize(
    "piece", ["- " * 400, "> " * 400, "[" * 5000, "`" * 5001, "*" * 5000, "a|" * 3000 + "\n" + "-|" * 3000, "(" * 3000]
)
def test_what_is_nested_or_repeated_without_end(piece: str) -> None:
    survives(piece)
    survives(f"## Escalation\n{piece}\n```bash\n{piece}\n```\n")


def test_a_line_of_nothing_but_levels_is_read_in_one_pass() -> None:
    text = "## Escalation\n- " + "P1/" * 20_000
    assert read(text, file="x.md").runbook.severities == ()
