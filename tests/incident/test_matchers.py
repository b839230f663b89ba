"""Matchers mean what Alertmanager's do, and nobody's pattern holds up the paging."""

from __future__ import annotations

import pytest

from tocsin.incident import matchers
from tocsin.incident.matchers import LONGEST_PATTERN, LONGEST_VALUE, match_all, parse, parse_all

LABELS = {"service": "backend", "pod": "web-7"}


@pytest.mark.parametrize(
    ("written", "matches"),
    [
        ('service="backend"', True), ("service = backend", True), ('service="back"', False), ('service!="back"', True),
        ('service!="backend"', False), ('pod=~"web-.*"', True), ('pod=~"web"', False), ('pod!~"web"', True),
        ('pod!~"web-[0-9]"', False), ('team=""', True), ('team!=""', False), ('team=~"a|"', True),
    ],
)  # fmt: skip
def test_a_matcher_matches_whole_values_and_takes_an_absent_label_for_empty(written: str, matches: bool) -> None:
    assert parse(written).matches(LABELS) is matches


@pytest.mark.parametrize("written", ["", "service", '="x"', 'service="x', 'pod=~"("', f'a="{"x" * 501}"'])
def test_what_is_no_matcher_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"matcher|quote|regular|longer"):
        parse(written)


def test_matchers_that_mean_every_alert_are_refused() -> None:
    for texts in ([], ['team!="x"'], ['pod=~".*"', 'team=""']):
        with pytest.raises(ValueError, match="matcher"):
            parse_all(texts)
    assert match_all(parse_all(['service="backend"', 'team!="x"']), LABELS)
    assert not match_all((), LABELS)


def test_a_pattern_is_kept_short_and_a_long_value_is_left_alone() -> None:
    assert parse(f'pod=~"{"x" * LONGEST_PATTERN}"')
    longest = "x" * LONGEST_VALUE
    assert parse('pod=~"x+"').matches({"pod": longest})
    assert not parse('pod=~"x+"').matches({"pod": longest + "x"})
    assert not parse('pod!~"y+"').matches({"pod": longest + "x"})


def test_a_pattern_that_backtracks_without_end_is_given_up_and_silences_nothing() -> None:
    wild = parse(r'pod=~"(a|a|aa)+(?=(b|c))(c|a)*d"')
    assert not wild.matches({"pod": "a" * 900 + "x"})
    assert matchers._given_up[wild.value] == 1
    assert not any(wild.matches({"pod": "a" * 900 + "x"}) for _ in range(100))
    assert matchers._given_up[wild.value] == matchers.TRIES
    assert not wild.matches({"pod": "aabd"})
