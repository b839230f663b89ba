"""The documents aggregators read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from tocsin.statuspage.summary import documents, summary
from tocsin.statuspage.view import Component, Impact, PageInfo, PublicIncident, PublicUpdate

T0 = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
PAGE = PageInfo("page-1", "Example", "https://example.com/status")
PARTS = (Component("c-1", "Shop", "shop"), Component("c-2", "Search", "search"))


def incident(
    status: str = "investigating", *, hit: Impact = Impact.MAJOR, service: str = "shop", number: int = 1
) -> PublicIncident:
    at = T0 + timedelta(hours=number)
    words = ("investigating",) if status == "investigating" else ("investigating", status)
    updates = tuple(PublicUpdate(f"i-{number}-{n}", w, f"{w}.", at + timedelta(minutes=n)) for n, w in enumerate(words))
    return PublicIncident(f"i-{number}", number, "Slow", hit, service, at, updates)


def statuses(incidents: Sequence[PublicIncident]) -> list[str]:
    return [part["status"] for part in summary(PAGE, incidents, PARTS, T0)["components"]]


def test_a_quiet_page_is_all_operational() -> None:
    said = summary(PAGE, [], PARTS, T0 + timedelta(seconds=42))
    assert said["status"] == {"indicator": "none", "description": "All Systems Operational"}
    assert said["page"]["updated_at"] == "2026-01-05T10:00:00.000Z"
    assert statuses([]) == ["operational", "operational"]


@pytest.mark.parametrize(
    ("hit", "word"),
    [
        (Impact.NONE, "operational"), (Impact.MINOR, "degraded_performance"), (Impact.MAJOR, "partial_outage"),
        (Impact.CRITICAL, "major_outage"),
    ],
)  # fmt: skip
def test_an_open_incident_marks_its_component_alone(hit: Impact, word: str) -> None:
    assert statuses([incident(hit=hit)]) == [word, "operational"]
    assert statuses([incident("resolved", hit=hit)]) == ["operational", "operational"]


def test_the_worst_open_incident_decides() -> None:
    shown = [incident(hit=Impact.MINOR), incident(hit=Impact.CRITICAL, number=2), incident("resolved", number=3)]
    assert statuses(shown)[0] == "major_outage"
    assert summary(PAGE, shown, PARTS, T0)["status"]["indicator"] == "critical"


def test_the_summary_has_open_incidents_and_the_list_has_all_newest_first() -> None:
    said = documents(PAGE, [incident(), incident("resolved", number=2), incident("monitoring", number=3)], PARTS, T0)
    ids = {path: [i["id"] for i in body["incidents"]] for path, body in said.items() if "incidents" in body}
    assert ids == {
        "summary.json": ["i-3", "i-1"], "incidents.json": ["i-3", "i-2", "i-1"],
        "incidents/unresolved.json": ["i-3", "i-1"],
    }  # fmt: skip


def test_every_document_of_the_api_is_there_with_its_page() -> None:
    said = documents(PAGE, [incident()], PARTS, T0)
    assert sorted(said) == [
        "components.json", "incidents.json", "incidents/unresolved.json", "scheduled-maintenances.json",
        "scheduled-maintenances/active.json", "scheduled-maintenances/upcoming.json", "status.json", "summary.json",
    ]  # fmt: skip
    assert all(body["page"]["id"] == "page-1" for body in said.values())
    assert said["scheduled-maintenances/active.json"]["scheduled_maintenances"] == []


def test_an_incident_has_the_names_aggregators_expect() -> None:
    said = documents(PAGE, [incident("resolved")], PARTS, T0)["incidents.json"]["incidents"][0]
    assert said["resolved_at"] == said["updated_at"] == "2026-01-05T11:01:00.000Z"
    assert (said["monitoring_at"], said["shortlink"]) == (None, "https://example.com/status#incident-i-1")
    assert [u["status"] for u in said["incident_updates"]] == ["resolved", "investigating"]
    assert said["components"] == [{"id": "c-1", "name": "Shop"}]


def test_an_incident_of_a_service_the_public_does_not_know_names_no_component() -> None:
    said = documents(PAGE, [incident(service="internal-db")], PARTS, T0)
    assert said["incidents.json"]["incidents"][0]["components"] == []
    assert "internal-db" not in repr(said)
