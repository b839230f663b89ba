from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.incident.alert import Alert, AlertStatus
from tocsin.signals import grafana
from tocsin.signals.errors import SignalError

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)


def decode(body: bytes) -> list[Alert]:
    return grafana.decode(body, at=AT)


BODY: dict[str, object] = {
    "receiver": "tocsin",
    "status": "firing",
    "orgId": 1,
    "title": "[FIRING:1] High CPU",
    "state": "alerting",
    "message": "**Firing**",
    "version": "1",
    "groupKey": '{}:{alertname="High CPU"}',
    "truncatedAlerts": 0,
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "High CPU", "instance": "db-1"},
            "annotations": {"summary": "CPU is high"},
            "startsAt": "2026-01-05T09:00:00.000000001+01:00",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://grafana/alerting/1",
            "fingerprint": "c6eadffa33fcdf37",
            "silenceURL": "http://grafana/silence",
            "dashboardURL": "http://grafana/d/1",
            "panelURL": "",
            "values": {"A": 0.97, "B": None},
            "valueString": "[ var='A' value=0.97 ]",
        }
    ],
}


def test_links_and_values_are_found_among_the_annotations() -> None:
    (alert,) = decode(json.dumps(BODY).encode())
    assert (alert.source, alert.status, alert.fingerprint) == ("grafana", AlertStatus.FIRING, "c6eadffa33fcdf37")
    assert alert.annotations == {
        "summary": "CPU is high",
        "silenceURL": "http://grafana/silence",
        "dashboardURL": "http://grafana/d/1",
        "valueString": "[ var='A' value=0.97 ]",
    }


def test_a_body_of_neither_age_is_refused_by_field() -> None:
    with pytest.raises(SignalError) as caught:
        decode(b'{"title": "x", "state": "alerting"}')
    assert caught.value.field == "alerts"


@pytest.mark.parametrize(
    ("state", "statuses"),
    [("alerting", ["firing"]), ("no_data", ["firing"]), ("ok", ["resolved"]), ("paused", []), ("pending", [])],
)
def test_legacy_alerting_tells_one_alert_a_rule(state: str, statuses: list[str]) -> None:
    said = {
        "ruleName": "CPU",
        "ruleId": 7,
        "ruleUrl": "https://g/d",
        "state": state,
        "message": "too hot",
        "tags": {"a": "b"},
    }
    body = json.dumps(said | {"evalMatches": [{"metric": "cpu", "value": 97.5}]}).encode()
    alerts = decode(body)
    assert [a.status for a in alerts] == statuses
    for alert in alerts:
        assert (alert.labels, alert.generator_url) == ({"alertname": "CPU", "a": "b"}, "https://g/d")
        assert (alert.annotations["description"], alert.annotations["matches"]) == ("too hot", "cpu = 97.5")


@given(st.binary(max_size=200))
def test_any_bytes_give_alerts_or_a_signal_error(junk: bytes) -> None:
    try:
        alerts = decode(junk)
    except SignalError:
        return
    assert all(isinstance(alert, Alert) for alert in alerts)
