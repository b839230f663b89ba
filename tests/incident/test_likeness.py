"""Two reports of one thing in other words are alike; two things are not, whatever they share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.incident.likeness import alike


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Login fails", "login is failing for me"),
        ("Checkout page is blank", "The checkout shows an error"),
        ("Cannot upload files", "Uploading a file doesn't work"),
        ("Site is down", "the SITE is down!"),
        ("Zahlung geht nicht", "Zahlung geht gar nicht"),
    ],
)
def test_the_same_in_other_words_is_alike(one: str, other: str) -> None:
    assert alike(one, other)
    assert alike(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Checkout is down", "Search is down"),
        ("Payment page error", "Profile page error"),
        ("Login fails", "Everything is broken"),
        ("Something is wrong", "The site is slow"),
        ("Search is slow on mobile", "Invoices are empty on mobile"),
    ],
)
def test_two_things_are_not_alike(one: str, other: str) -> None:
    assert not alike(one, other)
    assert not alike(other, one)


@given(st.text(max_size=60), st.text(max_size=60))
def test_likeness_goes_both_ways_and_everything_is_like_itself(one: str, other: str) -> None:
    assert alike(one, one)
    assert alike(one, other) == alike(other, one)
