"""`/runbook`: the document line by line, what each line became, and what is said of it."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from sites import SETTINGS

from tocsin.incident.policy import Role
from tocsin.runbook.model import Finding, Level, Reading
from tocsin.runbook.reader import read
from tocsin.web.pages.source_view import source

NASTY = "<script>alert(1)</script> & <img src=x onerror=alert(1)> [a](javascript:alert(1))"
BOOK = f"""# The shop

## Severity levels

| Severity | Description | Response Time |
|---|---|---|
| SEV1 | Nobody can buy | 15 minutes |
| SEV2 | Some cannot | 1 hour |

## Initial Assessment

{NASTY}

### Is it up? <b>x</b>

```bash
kubectl get pods -n shop
# not a heading
kubectl delete pod <pod-name> -n shop
```
"""


@pytest.fixture
async def nasty(opener: Any, tmp_path: Any) -> Any:
    (tmp_path / "book.md").write_text(BOOK)
    return await opener(settings=f'runbook = "book.md"\n{SETTINGS}')


async def _rows(site: Any) -> dict[int, str]:
    client = await site.signed_in(Role.VIEWER)
    page = await client.get("/runbook?view=source", headers={"Accept": "text/html"})
    assert page.status_code == 200
    return {
        int(n): rest for n, rest in re.findall(r'<li id="L(\d+)"(.*?)</li>\n(?=<li id|</ol>)', page.text, re.DOTALL)
    }


def _marks(rows: Any, line: int) -> list[str]:
    return [mark.what for mark in rows[line - 1].marks]


async def test_every_line_stands_in_order_as_it_was_written(nasty: Any) -> None:
    rows = await _rows(nasty)
    shown = [unescape(re.search(r"<code>(.*?)</code>", row, re.DOTALL)[1]) for row in rows.values()]  # type: ignore[index]
    assert list(rows) == list(range(1, len(rows) + 1))
    assert "\n".join(shown) + "\n" == BOOK


async def test_what_the_document_says_stays_text(nasty: Any) -> None:
    client = await nasty.signed_in(Role.VIEWER)
    page = (await client.get("/runbook", headers={"Accept": "text/html"})).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    for never in ("<script>alert", "<img", "<b>x", 'href="javascript:'):
        assert never not in page


async def test_each_part_is_marked_at_its_line(nasty: Any) -> None:
    rows = await _rows(nasty)
    assert '<a href="#severities">severity</a>' in rows[7]
    assert "SEV1" in rows[7]
    assert "class-destructive" in "".join(rows.values())
    assert 'class="marks"' not in rows[2]


def test_everything_the_runbook_names_has_a_mark() -> None:
    reading = read(BOOK, file="book.md")
    rows = source(reading, BOOK)
    for procedure in reading.runbook.procedures:
        assert "procedure" in _marks(rows, procedure.line)
        for step in procedure.steps:
            assert {"step", "step by hand"} & set(_marks(rows, step.line))


def test_a_comment_in_a_fence_is_no_heading() -> None:
    looks = [row.look for row in source(read(BOOK, file="book.md"), BOOK)]
    assert looks[0] == "heading"
    assert looks[15:20] == ["fence"] * 5
    nested = "````\n```\n# x\n````\n# y\n"
    assert [row.look for row in source(read(nested, file="n.md"), nested)] == ["fence"] * 4 + ["heading"]


def test_findings_stand_beside_their_lines() -> None:
    runbook = read("a\nb\n", file="x.md").runbook
    findings = (Finding("R1", Level.WARNING, 2, 1, "odd", "write c"), Finding("R2", Level.ERROR, 99, 1, "past the end"))
    first, last = source(Reading(runbook, findings), "a\nb\n")
    assert (first.findings, [f.code for f in last.findings]) == ((), ["R1", "R2"])


async def test_findings_are_shown_with_level_code_and_hint(nasty: Any) -> None:
    rows = await _rows(nasty)
    findings = nasty.house.reading.findings
    assert findings
    for finding in findings:
        row = unescape(rows[finding.line])
        assert finding.level.value in row
        assert finding.code in row
        assert finding.message in row
        assert finding.hint in row


async def test_a_broken_edit_is_said_above_the_one_in_force(site: Any, browse: Any, shown: Any) -> None:
    ana = await browse()
    assert 'id="trouble"' not in (await ana.get("/runbook")).text
    site.house.troubles["runbook"] = "book.md:3:1: <b>no severities</b>"
    page = await ana.get("/runbook")
    assert "newer than what you see here: book.md:3:1: <b>no severities</b>" in shown(page)


async def test_an_open_page_is_loaded_again_when_the_runbook_changed(site: Any, browse: Any) -> None:
    ana = await browse()
    address = re.search(r'hx-get="(/runbook/changed[^"]+)"', (await ana.get("/runbook")).text)
    assert address
    same = await ana.get(address[1])
    assert (same.status_code, "hx-refresh" in same.headers) == (204, False)
    site.house.troubles["runbook"] = "broken"
    assert (await ana.get(address[1])).headers["hx-refresh"] == "true"
