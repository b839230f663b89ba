"""A long document is read in pieces; the pieces must say what the whole says."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tocsin.runbook import commonmark
from tocsin.runbook.pieces import cuts

WRITTEN = """# A|## B|### C|||text|- item|  - inner|  ```|```|```bash|~~~|    code|> quote|<!--|-->|<div>|<pre>|</pre>|\
a ; b|--- ; ---|1. one|   ```|**Label:**|[x]: http://y|===|\u00a0"""
LINES = st.sampled_from([line.replace(" ; ", " | ") for line in WRITTEN.split("|")])


@given(st.lists(LINES, max_size=40))
@settings(max_examples=200, deadline=None)
@example(["  ```", "x", "", "# A", "", "  ```", "", "# B"])
@example(["- ```", "", "# A", "  ```", "", "# B", "", "  ```"])
@example(["1. one", "   ```", "```", "", "# A"])
@example(["<div>", "```", "", "```", "", "# A", "", "```"])
@example(["<div>", "\u00a0", "# A"])
def test_a_document_in_pieces_is_the_document(lines: list[str]) -> None:
    written = tuple(lines)
    pieces = [found for start, end in cuts(written, least=1) for found in commonmark.headed(written, start, end, {})]
    assert pieces == list(commonmark.headed(written, 0, len(written), {}))


def test_pieces_follow_each_other_and_begin_at_headings() -> None:
    lines = ["a", "", "# B", "c", "", "# D"]
    assert list(cuts(lines, least=1)) == [(0, 2), (2, 5), (5, 6)]
    assert list(cuts(lines, least=4)) == [(0, 5), (5, 6)]


@pytest.mark.parametrize("holder", ["```", "~~~~", "<!--", "<pre>"])
def test_no_cut_inside_what_may_hold_a_heading(holder: str) -> None:
    assert list(cuts([holder, "", "# no heading", ""], least=1)) == [(0, 4)]
