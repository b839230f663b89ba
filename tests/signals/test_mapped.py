"""JSON of any shape, read by declared expressions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from senders import AT

from tocsin.incident.alert import Alert, AlertStatus
from tocsin.signals.errors import SignalError
from tocsin.signals.mapped import Expressions, decode, refusal

ARGO = Expressions(
    "argocd", title="app.name", key="app.uid", status="app.health", severity="level", service="app.labels.service",
    description="join(', ', messages)", url="links[0].href", labels={"env": "app.labels.env", "replicas": "app.n"},
    resolved=("Healthy",),
)  # fmt: skip
BODY: dict[str, Any] = {
    "app": {"name": "cart", "uid": "u1", "health": "Degraded", "labels": {"service": "shop", "env": "prod"}, "n": 3},
    "level": "critical", "messages": ["a", "b"], "links": [{"href": "https://argo/cart"}],
}  # fmt: skip


def read(body: object, expressions: Expressions = ARGO) -> list[Alert]:
    return decode(json.dumps(body).encode(), expressions, at=AT)


def test_every_field_is_taken_from_where_it_stands() -> None:
    (alert,) = read(BODY)
    assert alert.labels == {
        "alertname": "cart", "service": "shop", "severity": "critical", "env": "prod", "replicas": "3",
    }  # fmt: skip
    assert alert.annotations == {"summary": "cart", "description": "a, b"}
    assert (alert.status, alert.generator_url, alert.source) == (AlertStatus.FIRING, "https://argo/cart", "argocd")


@pytest.mark.parametrize(
    ("health", "status"), [("healthy", "resolved"), ("Healthy", "resolved"), ("Missing", "firing"), (None, "firing")]
)
def test_the_declared_values_say_that_it_is_over(health: str | None, status: str) -> None:
    (alert,) = read(BODY | {"app": BODY["app"] | {"health": health}})
    assert (alert.status, alert.fingerprint) == (status, read(BODY)[0].fingerprint)


def test_a_list_of_alerts_is_found_where_it_is_said_to_be() -> None:
    many = Expressions("many", title="t", alerts="items[?severity != 'none']")
    alerts = read({"items": [{"t": "a", "severity": "x"}, {"t": "b", "severity": "none"}]}, many)
    assert [a.name for a in alerts] == ["a"]


def test_without_a_key_the_labels_tell_alerts_apart_and_the_severity_does_not() -> None:
    plain = Expressions("plain", title="t", severity="s")
    first, worse, other = (
        read(body, plain)[0] for body in ({"t": "a", "s": "low"}, {"t": "a", "s": "high"}, {"t": "b"})
    )
    assert first.fingerprint == worse.fingerprint != other.fingerprint


@pytest.mark.parametrize("body", [{}, [], None, {"app": {"name": ""}}, {"app": {"name": None}}])
def test_a_body_without_a_title_is_refused_by_field(body: object) -> None:
    with pytest.raises(SignalError) as caught:
        read(body)
    assert str(caught.value) == "title: nothing at app.name"


def test_an_optional_field_that_does_not_fit_is_left_out() -> None:
    (alert,) = read(BODY | {"messages": 5})
    assert "description" not in alert.annotations


def test_a_list_that_is_none_is_refused() -> None:
    with pytest.raises(SignalError) as caught:
        read({"items": 5}, Expressions("many", title="t", alerts="items"))
    assert caught.value.field == "alerts"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(SignalError):
        decode(body, ARGO, at=AT)


@pytest.mark.parametrize(("expression", "good"), [("a.b", True), ("a[", False), ("$.a", False), ("nothing(", False)])
def test_an_expression_is_checked_before_it_is_used(expression: str, good: bool) -> None:
    assert (refusal(expression) is None) is good
