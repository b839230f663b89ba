from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.incident.alert import Alert, AlertStatus
from tocsin.signals.errors import SignalError
from tocsin.signals.generic import decode

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


def one(**fields: object) -> Alert:
    (alert,) = decode(json.dumps(fields).encode(), at=NOW)
    return alert


def test_a_title_is_enough() -> None:
    alert = one(title="Checkout is down")
    assert (alert.name, alert.summary, alert.status) == ("Checkout is down", "Checkout is down", AlertStatus.FIRING)
    assert (alert.starts_at, alert.ends_at, alert.source) == (NOW, None, "generic")


def test_every_field_finds_its_place() -> None:
    alert = one(
        title="Slow", summary="p99 at 3 s", severity="critical", service="api", key="k1", description="since noon",
        labels={"zone": "eu", "code": 500, "canary": True, "none": None}, url="http://x/1",
        starts_at="2026-01-05T08:00:00Z",
    )  # fmt: skip
    assert alert.labels == {
        "alertname": "Slow", "service": "api", "severity": "critical", "zone": "eu", "code": "500", "canary": "true",
    }  # fmt: skip
    assert alert.annotations == {"summary": "p99 at 3 s", "description": "since noon"}
    assert (alert.generator_url, alert.group) == ("http://x/1", "k1")
    assert alert.starts_at == datetime(2026, 1, 5, 8, tzinfo=UTC)


def test_a_list_gives_its_alerts_in_order() -> None:
    alerts = decode(b' [{"title": "a"}, {"summary": "b"}]', at=NOW)
    assert [a.name for a in alerts] == ["a", "b"]


def test_the_same_key_is_the_same_alert_whatever_else_is_said() -> None:
    assert one(title="a", key="k").fingerprint == one(title="b", key="k", service="s").fingerprint
    assert one(title="a", key="k").fingerprint != one(title="a", key="l").fingerprint


def test_without_a_key_a_resolve_needs_only_title_service_and_labels() -> None:
    fired = one(title="a", service="s", labels={"zone": "eu"}, severity="critical")
    ended = one(title="a", service="s", labels={"zone": "eu"}, status="resolved")
    assert ended.fingerprint == fired.fingerprint
    assert (ended.status, ended.ends_at) == (AlertStatus.RESOLVED, NOW)


def test_other_labels_are_another_alert() -> None:
    assert one(title="a", labels={"zone": "eu"}).fingerprint != one(title="a", labels={"zone": "us"}).fingerprint


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b'{"severity": "x"}', "title: missing; give a title or a summary"),
        (b'[{"title": "a"}, {"title": "  "}]', "[1].title: missing; give a title or a summary"),
        (b'[{"title": "a"}, {"title": 5}]', "[1].title: expected `str | null`, got `int`"),
        (b'{"title": "a", "status": "x"}', "status: invalid enum value 'x'"),
        (b'{"title": "a", "starts_at": "0001-01-01T00:00:00+01:00"}', "starts_at: the time is out of range"),
    ],
)
def test_a_bad_field_is_named(bad: bytes, said: str) -> None:
    with pytest.raises(SignalError) as caught:
        decode(bad, at=NOW)
    assert str(caught.value) == said


@given(st.one_of(st.binary(max_size=200), st.text(max_size=80).map(lambda t: json.dumps({"title": t}).encode())))
def test_any_bytes_give_alerts_or_a_signal_error(junk: bytes) -> None:
    try:
        alerts = decode(junk, at=NOW)
    except SignalError:
        return
    assert all(isinstance(alert, Alert) for alert in alerts)
