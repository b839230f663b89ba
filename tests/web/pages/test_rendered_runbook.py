"""`/runbook` rendered: a document to read, with what each part became and what is said of it where it stands."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sites import SETTINGS

from tocsin.incident.policy import Role
from tocsin.runbook.reader import read
from tocsin.web.pages.rendered_view import rendered
from tocsin.web.pages.source_view import source

NASTY = "<script>alert(1)</script> [a](javascript:alert(1)) ![p](http://x.test/p.png) <b>x</b>"
BOOK = f"""# The shop

## Severity levels

| Severity | Description | Response Time |
|---|---|---|
| SEV1 | Nobody can buy | 15 minutes |
| SEV2 | Some cannot | soon |

{NASTY}

## Checks

1. Look at it:

   ```bash
   # See the pods
   kubectl get pods -n shop

   # Start again
   kubectl delete pod <pod-name> -n shop
   ```
2. *Tell* the others

```
  ┌────┐
  │ up │
  └────┘
```
"""


def page_of(text: str) -> str:
    reading = read(text, file="book.md")
    return str(rendered(text, reading.runbook, source(reading, text)))


async def test_the_page_shows_the_document_rendered_and_leads_to_its_source(opener: Any, tmp_path: Any) -> None:
    (tmp_path / "book.md").write_text(BOOK)
    client = await (await opener(settings=f'runbook = "book.md"\n{SETTINGS}')).signed_in(Role.VIEWER)
    page = (await client.get("/runbook")).text
    assert '<article class="rendered">' in page
    assert '<a href="/runbook?view=source#document">' in page
    plain = (await client.get("/runbook?view=source")).text
    assert 'class="rendered"' not in plain
    assert '<ol class="source">' in plain


@pytest.mark.parametrize(
    "text",
    [BOOK, BOOK.replace("\n", "\r\n"), "", "x", "- a\n  - b\n\n> c\n\n---\n", "```\nopen", "    code\n\n    more\n"],
)
def test_every_line_has_one_anchor_in_order(text: str) -> None:
    anchors = [int(n) for n in re.findall(r'<span id="L(\d+)"></span>', page_of(text))]
    rows = text.replace("\r\n", "\n").removesuffix("\n").count("\n") + 1
    assert anchors == list(range(1, rows + 1))


ROW = st.sampled_from(
    [
        "# H",
        "- a",
        "  - b",
        "```",
        "```bash",
        "| a | b |",
        "|---|---|",
        "> q",
        "    code",
        "",
        "---",
        "\t- tab",
        "a\u2028b",
    ]
)


@given(st.lists(ROW, max_size=12))
@settings(max_examples=60, deadline=None)
def test_whatever_is_written_every_line_has_its_anchor(rows: list[str]) -> None:
    test_every_line_has_one_anchor_in_order("\n".join(rows))


def test_what_the_document_says_stays_text() -> None:
    page = page_of(BOOK)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "[picture: p]" in page
    for never in ("<script", "<img", "<b>x", 'javascript:alert(1)"'):
        assert never not in page


def test_a_row_is_marked_below_itself() -> None:
    rows = re.findall(r"<tr.*?</tr>", page_of(BOOK), re.DOTALL)
    assert ["told" in row for row in rows] == [False, False, True, False, True]
    assert '<td colspan="3">' in rows[2]
    assert "SEV1" in rows[2]


def test_a_finding_stands_below_its_row() -> None:
    told = re.findall(r'<tr class="told">.*?</tr>', page_of(BOOK), re.DOTALL)[1]
    assert "R002" in told
    assert "line 8" in unescape(told)


def test_a_step_is_marked_above_its_lines_and_its_finding_below() -> None:
    page = page_of(BOOK)
    step, command, finding = (page.index(part) for part in ("See the pods</span>", "kubectl get pods", "S007"))
    assert step < command < page.index("kubectl delete pod") < finding
    assert "class-destructive" in page


def test_a_fence_keeps_its_lines_and_a_drawing_its_shape() -> None:
    page = re.sub(r"<[^>]+>", "", page_of(BOOK))
    assert "  ┌────┐\n  │ up │\n  └────┘\n" in unescape(page)


def test_emphasis_is_rendered() -> None:
    assert "<em>Tell</em> the others" in page_of(BOOK)
