"""An expression that backtracks without end costs its line and no more."""

from __future__ import annotations

import asyncio

import pytest

from tocsin.signals.matching import Pattern


def test_matching_lines_come_back_in_order() -> None:
    found = Pattern(r"ERROR\b").found(["ERROR 1", "fine", "an ERROR", "ERRORS"])
    assert (found.lines, found.unread) == (("ERROR 1", "an ERROR"), 0)


def test_a_text_that_is_no_expression_is_refused() -> None:
    with pytest.raises(ValueError, match="not a regular expression"):
        Pattern("(")


def test_a_line_that_takes_too_long_is_passed_over_and_the_next_is_searched() -> None:
    found = Pattern(r"^(a+)+$").found(["a" * 5000 + "b", "aaa"])
    assert (found.lines, found.unread) == (("aaa",), 1)


def test_a_batch_that_takes_too_long_is_given_up() -> None:
    found = Pattern(r"^(a+)+$").found(["a" * 5000 + "b"] * 50, most=0.1)
    assert found.unread == 50


async def test_the_loop_turns_while_such_an_expression_is_searched() -> None:
    searching = asyncio.create_task(asyncio.to_thread(Pattern(r"^(a+)+$").found, ["a" * 5000 + "b"] * 4))
    turns = 0
    while not searching.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert turns > 5
    assert (await searching).unread == 4
