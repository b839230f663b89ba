"""What slugs mean, where dashboards are, how a mitigation is taken back."""

import pytest
from msgspec.structs import replace

from tocsin.incident import hints, library
from tocsin.runbook.model import Dashboard
from tocsin.runbook.reader import read

BOOK = read("# Book\n", file="book.md").runbook
BOARDS = (
    Dashboard("Grafana", 1, url="https://grafana.example.com"),
    Dashboard("Grafana Logs", 2, url="https://grafana.example.com/logs"),
    Dashboard("Kibana", 3),
    Dashboard("Evil", 4, url="javascript:alert(1)"),
)


@pytest.mark.parametrize(
    ("title", "url"),
    [
        ("Open Grafana dashboard", "https://grafana.example.com"),
        ("Open the Grafana logs", "https://grafana.example.com/logs"),
        ("Open Kibana", None),
        ("Open Evil", None),
        ("Open grafanax", None),
    ],
)
def test_a_manual_step_finds_the_dashboard_its_title_names(title: str, url: str | None) -> None:
    assert library.dashboard(replace(BOOK, dashboards=BOARDS), title) == url


@pytest.mark.parametrize(
    ("command", "replicas", "hint"),
    [
        ("kubectl rollout undo deployment/a", None, "the same once more goes back"),
        ("kubectl rollout restart deployment/a", None, "a restart has no undo"),
        ("kubectl scale deployment/a --replicas=5 -n p", 3, "--replicas=3 -n p"),
        ("kubectl scale deployment/a --replicas=5", None, "note it first"),
        ("kubectl rollout pause deployment/a", None, "kubectl rollout resume deployment/a"),
        ("kubectl cordon node-1", None, "kubectl uncordon node-1"),
        ("redis-cli FLUSHALL", None, "no undo is known"),
    ],
)
def test_the_way_back_is_said_where_there_is_one(command: str, replicas: int | None, hint: str) -> None:
    assert hint in hints.undo(command, replicas=replicas)


def test_a_failure_says_what_to_do_and_how_to_go_back_where_one_can() -> None:
    assert "To take it back" in hints.after_failure("its inverse: kubectl uncordon a")
    assert "To take it back" not in hints.after_failure("a restart has no undo")
