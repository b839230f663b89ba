"""The level that the runbook's indicators make of a share of users, and what an incident begins with."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cases import Production, since
from engines import document
from msgspec.structs import replace

from tocsin.diagnosis.impact import Impact, Weighed, of_impact, to_begin_with, weighed
from tocsin.diagnosis.indicators import measurable, suggested

AT = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
LABEL = ("SEV3", "alert label severity=warning")
SEVERE = Weighed("SEV1", "Every user is affected", "99% of the users are affected")


def impact(share: float) -> Impact:
    return Impact(share, AT, "[services.backend] affected")


@pytest.mark.parametrize(
    ("share", "severity"),
    [
        (1.0, "SEV1"),
        (0.94, "SEV2"),
        (0.61, "SEV2"),
        (0.59, ""),
        (0.41, ""),
        (0.39, "SEV3"),
        (0.05, "SEV3"),
        (0.04, ""),
        (0, ""),
    ],
)
def test_the_worst_level_whose_indicator_holds_is_suggested(share: float, severity: str) -> None:
    found = of_impact(document(), impact(share))
    assert (found.severity if found else "") == severity


def test_the_suggestion_says_what_it_rests_on() -> None:
    assert of_impact(document(), impact(0.62)) == Weighed(
        "SEV2",
        ">50% of users are affected",
        "62% of the users are affected, by [services.backend] affected at 03:00:00 UTC",
    )


def test_a_query_for_users_counts_before_the_share_of_requests() -> None:
    facts = Production(error=since(90, 0.99)).facts()
    by_requests = weighed(document(), suggested(document(), facts))
    by_users = weighed(document(), suggested(document(), replace(facts, affected=(0.2, "20% of the users"))))
    assert by_requests is not None
    assert by_users is not None
    assert (by_requests.severity, by_users.severity) == ("SEV1", "SEV3")


def test_what_cannot_be_measured_is_unknown_with_the_reason() -> None:
    found = weighed(document(), suggested(document(), Production().facts()))
    assert found is not None
    assert found.severity == ""
    assert found.reason


def test_a_runbook_without_such_indicators_is_never_weighed() -> None:
    silent = replace(document(), indicators=())
    assert weighed(silent, suggested(silent, Production().facts())) is None
    assert of_impact(silent, impact(1.0)) is None
    assert (measurable(document()), measurable(silent)) == (True, False)


def test_a_label_holds_and_what_was_measured_is_said_beside_it() -> None:
    assert to_begin_with(LABEL, True, None) == LABEL
    severity, why = to_begin_with(LABEL, True, SEVERE)
    assert severity == "SEV3"
    assert why.endswith("; 99% of the users are affected: “Every user is affected” is SEV1")
    assert to_begin_with(("SEV1", "label"), True, SEVERE) == ("SEV1", "label")


def test_without_a_label_what_was_measured_is_better_than_a_default() -> None:
    severity, why = to_begin_with(("SEV3", "the alert carries no severity label"), False, SEVERE)
    assert severity == "SEV1"
    assert why.startswith("99% of the users are affected: “Every user is affected”")
