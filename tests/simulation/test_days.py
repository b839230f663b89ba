"""The whole engine on bad days made up from seeds; `make torture` lives through thousands of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from invariants import check
from msgspec.structs import replace
from simulated import Broken, Day, simulate
from structlog.testing import capture_logs

from tocsin.engine.letters import Letter


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with capture_logs():
        yield


@pytest.mark.parametrize("seed", range(10))
def test_nothing_is_lost_or_done_twice_on_a_bad_day(seed: int) -> None:
    simulate(seed, 100, check)


def test_the_same_seed_is_the_same_day() -> None:
    assert simulate(3, 10, check) == simulate(3, 10, check) != simulate(4, 10, check)


def test_on_the_real_stores_statements_the_day_is_the_same(tmp_path: Path) -> None:
    assert simulate(5, 8, check, folder=tmp_path) == simulate(5, 8, check)


def test_a_page_that_is_sent_though_somebody_owns_the_incident_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Letter, "wanted", property(lambda letter: True))
    with pytest.raises(Broken, match="incidents: paged after the acknowledge"):
        simulate_many(range(20))


def test_an_alert_that_was_promised_and_is_on_no_timeline_is_found() -> None:
    def forgetful(day: Day) -> None:
        day.accepted.append(replace(day.accepted[0], fingerprint="another"))
        check(day)

    with pytest.raises(Broken, match="alerts that were taken are on no timeline"):
        simulate(1, 10, forgetful)


def simulate_many(seeds: range) -> None:
    for seed in seeds:
        simulate(seed, 15, check)
