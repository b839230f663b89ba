from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.runbook.document import Code, Items, Paragraph, Table, label_of, parse, split_cells
from tocsin.runbook.wording import plain, slug, unique, unnumbered

NESTED = """\
# Title

1. First
   ```bash
   ls
   ```
   - inner
2. Second
"""


def test_headings_carry_the_titles_above_them_but_not_the_documents() -> None:
    document = parse("# A\n## B\n### C\n## D\n")
    assert [(s.title, s.path, s.line) for s in document.sections if s.level] == [
        ("A", (), 1),
        ("B", (), 2),
        ("C", ("B",), 3),
        ("D", (), 4),
    ]


def test_without_a_title_the_outermost_heading_counts() -> None:
    assert parse("## Investigation\n### Latency\n").sections[-1].path == ("Investigation",)
    assert parse("# Investigation\n## Latency\n# Mitigation\n").sections[1].path == ("Investigation",)


def test_the_trail_goes_from_the_inside_out() -> None:
    assert parse("# Runbook\n## Investigation\n### Latency\n").sections[-1].trail == ("Latency", "Investigation")


def test_an_item_keeps_the_sign_commonmark_takes_for_a_quotation() -> None:
    (block,) = parse("- >50% users affected\n- <50% users affected\n").sections[0].blocks
    assert isinstance(block, Items)
    assert [item.text for item in block.items] == [">50% users affected", "<50% users affected"]


def test_what_is_nested_in_an_item_stays_with_it_and_knows_its_line() -> None:
    (block,) = parse(NESTED).sections[-1].blocks
    assert isinstance(block, Items)
    code, inner = block.items[0].blocks
    assert isinstance(code, Code)
    assert (block.items[0].text, block.items[0].ordered) == ("First", True)
    assert (code.text, code.line, code.body_line) == ("ls\n", 4, 5)
    assert isinstance(inner, Items)
    assert (inner.items[0].text, inner.items[0].line) == ("inner", 7)


def test_boxes_are_told_from_plain_items() -> None:
    (block,) = parse("- [ ] open\n- [x] done\n- plain\n").sections[0].blocks
    assert isinstance(block, Items)
    assert [(item.text, item.checked) for item in block.items] == [("open", False), ("done", True), ("plain", None)]


def test_windows_line_ends_do_not_move_lines() -> None:
    document = parse("# A\r\n\r\n- one\r\n- two\r\n")
    (block,) = document.sections[-1].blocks
    assert isinstance(block, Items)
    assert [(item.text, item.line) for item in block.items] == [("one", 3), ("two", 4)]


def test_a_row_longer_than_its_header_counts_the_surplus() -> None:
    (table,) = parse("| a | b |\n|---|---|\n| `x | y` | z |\n| \\| | |\n").sections[0].blocks
    assert isinstance(table, Table)
    assert [(row.cells, row.surplus) for row in table.rows] == [(("`x", "y`"), 1), (("|", ""), 0)]


def test_a_row_shorter_than_its_header_is_filled_with_nothing() -> None:
    (table,) = parse("| a | b |\n|---|---|\n| 1 |\n").sections[0].blocks
    assert isinstance(table, Table)
    assert table.rows[0].cells == ("1", "")


def test_a_table_with_the_wrong_number_of_dashes_is_a_paragraph() -> None:
    (block,) = parse("| a | b |\n|---|\n| 1 | 2 |\n").sections[0].blocks
    assert isinstance(block, Paragraph)


def test_an_open_fence_is_told_from_a_closed_one() -> None:
    codes = list(parse("```\na\n```\n\n~~~\nb\n").sections[0].codes())
    assert [code.closed for code in codes] == [True, False]


def test_an_empty_fence_at_the_end_is_open() -> None:
    (code,) = parse("```").sections[0].codes()
    assert not code.closed


def test_bold_labels_divide_a_section() -> None:
    parts = parse("**Channel:** Slack #incidents\n\n**Updates:**\n- every hour\n").sections[0].parts()
    assert [(part.label, part.value, part.line, len(part.blocks)) for part in parts[1:]] == [
        ("Channel", "Slack #incidents", 1, 0),
        ("Updates", "", 3, 1),
    ]


def test_a_sentence_that_opens_bold_is_no_label() -> None:
    assert label_of("**Never** run this twice") is None
    assert label_of("**Never**: run this twice") == ("Never", "run this twice")


def test_cells_are_split_as_github_splits_them() -> None:
    assert split_cells("| a \\| b | `c` |") == ("a | b", "`c`")
    assert split_cells("a | b") == ("a", "b")


def test_titles_lose_their_numbers_but_not_their_words() -> None:
    assert unnumbered("Phase 3: Investigation") == "Investigation"
    assert unnumbered("3.1 Pods") == "Pods"
    assert unnumbered("5 Whys") == "5 Whys"
    assert unnumbered("24 hours later") == "24 hours later"


def test_slugs_leave_out_numbers_and_parentheses() -> None:
    assert slug("2. Initial Assessment (First 5 minutes)") == "initial-assessment"
    assert slug("🚨 Données perdues!") == "donnees-perdues"


def test_a_slug_taken_gets_a_number() -> None:
    taken: set[str] = set()
    assert [unique("rollback", taken) for _ in range(3)] == ["rollback", "rollback-2", "rollback-3"]


def test_undressing_keeps_words_with_underscores() -> None:
    assert plain("**`on_call_name`** _now_ [here](./x.md)") == "on_call_name now here"


@given(st.text(alphabet="#|-*> `~\n[]ab1.:_\t", max_size=200))
@settings(max_examples=200)
def test_every_line_number_is_a_line_of_the_document(text: str) -> None:
    document = parse(text)
    for section in document.sections:
        assert 1 <= section.line <= len(document.lines)
        for part in section.parts():
            assert all(1 <= block.line <= len(document.lines) for block in part.blocks)
