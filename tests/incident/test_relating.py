"""Which incidents may be one trouble, in words; what has only its time in common, or was kept apart, is not said."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from tocsin.incident import events as e
from tocsin.incident.fold import begin
from tocsin.incident.relating import related
from tocsin.incident.state import Incident, Other, Status

AT = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)


def incident(number: int, service: str, *, after: float = 0, title: str = "", **labels: str) -> Incident:
    at = AT + timedelta(seconds=after)
    said = e.Opened(title or f"{service} fails", "SEV2", "", service, "alertmanager", "d", labels=labels)
    return begin(f"i{number}", number, e.Entry(1, at, "alertmanager", said))


ONE = incident(1, "checkout", namespace="shop", alertname="HighErrorRate", severity="critical")


def why(*others: Incident, of: Incident = ONE, needs: Mapping[str, tuple[str, ...]] | None = None) -> list[str]:
    return [r.why for r in related(of, others, depends_on=needs or {})]


def test_the_same_namespace_at_the_same_time_is_said_in_words() -> None:
    assert why(incident(2, "cart", after=40, namespace="shop")) == ["same namespace shop, began 40 s apart"]


def test_the_same_namespace_much_later_is_not_enough() -> None:
    assert why(incident(2, "cart", after=16 * 60, namespace="shop")) == []


def test_time_alone_and_a_severity_alone_are_nothing_in_common() -> None:
    assert why(incident(2, "cart", severity="critical")) == []


def test_what_one_needs_is_related_to_it_either_way_round() -> None:
    database = incident(2, "postgres", after=60)
    needs = {"checkout": ("postgres",)}
    assert why(database, needs=needs) == ["checkout depends on postgres, began 1 min apart"]
    assert why(ONE, of=database, needs=needs) == ["checkout depends on postgres, began 1 min apart"]


def test_the_same_deploy_and_node_count_and_the_likeliest_comes_first() -> None:
    near = incident(2, "cart", after=300, node="worker-1", version="v7")
    far = incident(3, "search", after=60, zone="a", version="v7")
    mine = replace(ONE, labels={"node": "worker-1", "version": "v7", "zone": "a"})
    assert why(far, near, of=mine) == [
        "same node worker-1, same version v7, began 5 min apart",
        "same version v7, same zone a, began 1 min apart",
    ]


def test_beyond_an_hour_not_even_the_same_service_is_suggested() -> None:
    assert why(incident(2, "checkout", after=3600)) == [
        "the same service checkout, told in like words, began 1 h apart"
    ]
    assert why(incident(2, "checkout", after=3601)) == []


def test_what_is_over_itself_or_a_part_of_it_is_not_suggested() -> None:
    over = replace(incident(2, "checkout"), status=Status.RESOLVED)
    part = replace(incident(3, "checkout"), split_from=Other(1, "i1", "checkout fails"))
    assert why(ONE, over, part) == []


def test_what_a_person_kept_apart_is_suggested_from_neither_side() -> None:
    other = incident(2, "checkout")
    denied = replace(ONE, unrelated=("i2",))
    assert why(other, of=denied) == []
    assert why(denied, of=other) == []
