"""Severity indicators answered from requests and probes: suggestions, silent near the limit."""

from __future__ import annotations

import pytest
from cases import Production, since
from msgspec.structs import replace

from tocsin.diagnosis.facts import Endpoint, Taken
from tocsin.diagnosis.indicators import answered


@pytest.mark.parametrize(("share", "said"), [(0.99, "yes"), (0.7, "no"), (0.9, "unknown")])
def test_all_users_are_affected_when_nearly_every_request_fails(share: float, said: str) -> None:
    found = answered("All users affected", Production(error=since(90, share)).facts())
    assert found is not None
    assert found.answer == said


@pytest.mark.parametrize(("text", "share", "said"), [
    (">50% users affected", 0.8, "yes"), (">50% users affected", 0.2, "no"), (">50% users affected", 0.52, "unknown"),
    ("more than 25 % of customers", 0.5, "yes"), ("<50% users affected", 0.2, "yes"),
    ("<50% users affected", 0.9, "no"),
])  # fmt: skip
def test_a_share_of_the_users_is_told_by_the_share_of_requests(text: str, share: float, said: str) -> None:
    found = answered(text, Production(error=since(90, share)).facts())
    assert found is not None
    assert found.answer == said


@pytest.mark.parametrize("text", ["Security breach", "No workaround available", "Data integrity at risk", "Few users"])
def test_what_measurements_cannot_tell_is_for_people(text: str) -> None:
    assert answered(text, Production().facts()) is None


def test_a_site_is_down_when_no_probe_is_answered_and_every_request_fails() -> None:
    facts = Production(error=since(90, 1.0)).facts()
    dead = replace(facts, endpoints=Taken((Endpoint("site", "https://x/health", None, 5.0, "timeout"),), facts.at))
    alive = Production().facts()
    states = [answered("Site completely unavailable", f) for f in (dead, facts, alive)]
    assert [v.answer for v in states if v] == ["yes", "unknown", "no"]


def test_unknown_series_answer_nothing() -> None:
    facts = replace(Production().facts(), series=Taken(error="down"))
    found = answered("All users affected", facts)
    assert found is not None
    assert found.answer == "unknown"
