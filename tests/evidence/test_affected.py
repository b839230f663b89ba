"""The share of users affected: whose series counts, for how long, and what is no share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from tocsin.engine.fakes import VirtualClock
from tocsin.engine.ports import EvidenceError
from tocsin.evidence.affected import NAME, Affected
from tocsin.evidence.prometheus import Sample, Vector

OWN, COMMON = "own", "common"


class Answering:
    """A Prometheus with these answers."""

    def __init__(self, answers: Mapping[str, Sequence[Sample] | None]) -> None:
        self.answers = dict(answers)
        self.clock = VirtualClock()
        self.troubles: dict[str, str | None] = {}
        queries = {"shop": OWN, "": COMMON}
        self.affected = Affected(
            self.query, queries, now=self.clock.now, on_trouble=self.troubles.__setitem__
        )  # fmt: skip

    async def query(self, expr: str) -> Vector:
        found = self.answers[expr]
        if found is None:
            raise EvidenceError("Prometheus: no answer within 5 s")
        return tuple(found)

    def share(self, service: str) -> float | None:
        found = self.affected.of(service)
        return found.share if found else None


def sample(value: float, **labels: str) -> Sample:
    return Sample(labels, value)


async def test_a_services_own_query_counts_then_its_series_in_the_common_one() -> None:
    asked = Answering({OWN: [sample(0.5)], COMMON: [sample(0.1, service="shop"), sample(0.2, service="pay")]})
    await asked.affected.look()
    assert [asked.share(service) for service in ("shop", "pay", "cart")] == [0.5, 0.2, None]
    assert asked.troubles == {NAME: None}


async def test_the_only_series_of_the_common_query_is_of_all_services() -> None:
    asked = Answering({OWN: [], COMMON: [sample(0.3)]})
    await asked.affected.look()
    assert (asked.share("shop"), asked.share("")) == (0.3, 0.3)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 1.1, 62.0])
async def test_what_is_no_share_is_unknown(value: float) -> None:
    asked = Answering({OWN: [sample(value)], COMMON: []})
    await asked.affected.look()
    assert asked.share("shop") is None


async def test_several_series_without_a_service_are_nobodys() -> None:
    asked = Answering({OWN: [], COMMON: [sample(0.3, path="/a"), sample(0.9, path="/b")]})
    await asked.affected.look()
    assert asked.share("shop") is None


async def test_what_was_measured_grows_old_when_nothing_new_can_be_had() -> None:
    asked = Answering({OWN: [sample(0.5)], COMMON: []})
    await asked.affected.look()
    asked.answers[OWN] = None
    asked.clock.move(seconds=60)
    await asked.affected.look()
    assert asked.share("shop") == 0.5
    assert asked.troubles == {NAME: "Prometheus: no answer within 5 s"}
    asked.clock.move(seconds=1)
    assert asked.share("shop") is None


async def test_a_query_that_gives_nothing_any_more_says_nothing() -> None:
    asked = Answering({OWN: [sample(0.5)], COMMON: []})
    await asked.affected.look()
    asked.answers[OWN] = []
    await asked.affected.look()
    assert asked.share("shop") is None
