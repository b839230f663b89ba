from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tocsin.channels.slack import escaped
from tocsin.channels.text import CUT_NOTE, clean, cut, one_line, pieces

ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=200)


def test_a_text_at_the_limit_is_whole_and_one_past_it_is_cut() -> None:
    assert cut("12345", limit=5) == "12345"
    assert cut("123456", limit=5) == f"12345\n{CUT_NOTE}"


def test_one_line_marks_where_it_was_cut() -> None:
    assert one_line("12345", limit=5) == "12345"
    assert one_line("123456", limit=5) == "1234…"


def test_every_kind_of_line_end_is_one_kind() -> None:
    assert clean("a\r\nb\rc\u2028d\x85e\nf") == "a\nb\nc\nd\ne\nf"


def test_marks_that_languages_need_are_kept() -> None:
    family = "👨\u200d👩\u200d👧"
    assert clean(f"{family} \u200fעברית\t.") == f"{family} \u200fעברית\t."


def test_a_link_hidden_in_a_terminal_code_is_dropped() -> None:
    assert clean("\x1b]8;;http://evil\x07here\x1b]8;;\x07") == "here"


@given(ANY_TEXT)
def test_cleaned_text_can_be_sent_and_cleaning_again_changes_nothing(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert clean(cleaned) == cleaned
    assert not any(c < " " and c not in "\n\t" for c in cleaned)
    assert "\n" not in one_line(text)


@given(ANY_TEXT, st.integers(5, 40))
def test_pieces_fit_and_lose_nothing_but_empty_lines(text: str, limit: int) -> None:
    split = pieces(text, limit=limit, write=escaped)
    assert all(len(piece) <= limit for piece in split)
    assert "".join("".join(split).split()) == "".join(escaped(text).split())


def test_no_piece_ends_inside_of_an_escape() -> None:
    assert pieces("ab<<", limit=7, write=escaped) == ["ab&lt;", "&lt;"]
