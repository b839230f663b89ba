from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.incident.alert import Alert, AlertStatus, fingerprint
from tocsin.signals.alertmanager import FINGERPRINT_LIMIT, decode
from tocsin.signals.errors import SignalError

RECORDED = Path(__file__).parent.parent / "fixtures" / "alertmanager"


def recorded(name: str) -> bytes:
    """The body as the real Alertmanager wrote it, byte for byte."""
    raw: str = json.loads((RECORDED / f"am-webhook-{name}.json").read_text())["raw"]
    return raw.encode()


def body(**changes: object) -> bytes:
    alert = {
        "status": "firing",
        "labels": {"alertname": "Down"},
        "startsAt": "2026-01-05T09:00:00+01:00",
        "endsAt": "0001-01-01T00:00:00Z",
    }
    changed = {key: value for key, value in (alert | changes).items() if value is not None}
    return json.dumps({"version": "4", "alerts": [changed]}).encode()


@pytest.mark.parametrize("file", sorted(RECORDED.glob("*.json")), ids=lambda file: file.stem)
def test_every_recorded_body_decodes_to_the_alerts_it_lists(file: Path) -> None:
    listed = json.loads(file.read_text())["body"]["alerts"]
    alerts = decode(recorded(file.stem.removeprefix("am-webhook-")))
    assert [a.fingerprint for a in alerts] == [alert["fingerprint"] for alert in listed]
    assert [a.status for a in alerts] == [alert["status"] for alert in listed]
    assert [a.labels for a in alerts] == [alert["labels"] for alert in listed]
    assert [a.annotations for a in alerts] == [alert["annotations"] for alert in listed]


def test_a_partly_resolved_group_gives_each_alert_its_own_status() -> None:
    gone, still = decode(recorded("mixed-group2"))
    assert (gone.status, still.status) == (AlertStatus.RESOLVED, AlertStatus.FIRING)
    assert gone.ends_at == datetime(2026, 11, 23, 7, 32, 14, 341192, tzinfo=UTC)
    assert still.ends_at is None


def test_a_truncated_body_that_says_resolved_gives_only_the_alert_it_lists() -> None:
    (alert,) = decode(recorded("truncated-LOOKS-resolved-max1"))
    assert alert.labels["pod"] == "cart-a"


def test_a_storm_gives_sixty_different_alerts() -> None:
    assert len({a.fingerprint for a in decode(recorded("firing-storm60"))}) == 60


def test_the_heartbeat_is_an_alert_without_an_end() -> None:
    (alert,) = decode(recorded("heartbeat-watchdog"))
    assert (alert.name, alert.ends_at, alert.summary) == ("Watchdog", None, "dead man's switch")


def test_the_group_is_the_senders_group_key() -> None:
    assert decode(recorded("mixed-group2"))[0].group == '{}:{alertname="KubePodCrashLooping", service="cart"}'


def test_times_are_utc() -> None:
    (alert,) = decode(body())
    assert alert.starts_at == datetime(2026, 1, 5, 8, tzinfo=UTC)
    assert alert.starts_at.utcoffset() == UTC.utcoffset(None)


def test_a_missing_fingerprint_is_computed_from_the_labels() -> None:
    assert decode(body())[0].fingerprint == fingerprint({"alertname": "Down"})


def test_a_fingerprint_longer_than_an_index_takes_is_replaced() -> None:
    longest, longer = "f" * FINGERPRINT_LIMIT, "f" * (FINGERPRINT_LIMIT + 1)
    assert decode(body(fingerprint=longest))[0].fingerprint == longest
    assert decode(body(fingerprint=longer))[0].fingerprint == fingerprint({"alertname": "Down"})


def test_a_firing_alert_has_no_end_even_when_one_is_announced() -> None:
    assert decode(body(endsAt="2026-01-05T09:05:00Z"))[0].ends_at is None


def test_another_version_of_the_same_shape_is_read() -> None:
    assert decode(body().replace(b'"4"', b'"5"'))[0].name == "Down"


def test_a_nul_character_never_reaches_the_database() -> None:
    (alert,) = decode(body(labels={"alertname": "a\x00b"}, annotations={"summary": "\x00"}))
    assert (alert.labels, alert.annotations) == ({"alertname": "a\ufffdb"}, {"summary": "\ufffd"})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"startsAt": None}, "alerts[0].startsAt"),
        ({"startsAt": "yesterday"}, "alerts[0].startsAt"),
        ({"startsAt": "2026-01-05T09:00:00"}, "alerts[0].startsAt"),
        ({"startsAt": "0001-01-01T00:00:00+05:00"}, "alerts[0].startsAt"),
        ({"status": "perhaps"}, "alerts[0].status"),
        ({"labels": {"code": 500}}, "alerts[0].labels"),
        ({"labels": None}, "alerts[0].labels"),
    ],
)
def test_a_bad_field_is_named(change: dict[str, object], field: str) -> None:
    with pytest.raises(SignalError) as caught:
        decode(body(**change))
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: ")


@pytest.mark.parametrize(
    "bad", [b"", b"nonsense", b"\xff\xfe", b'{"alerts": "\xff"}', b"[]", b"{}", b'{"x":' + b"[" * 100_000]
)
def test_a_body_of_another_kind_is_refused(bad: bytes) -> None:
    with pytest.raises(SignalError):
        decode(bad)


@given(st.binary(max_size=300))
def test_any_bytes_give_alerts_or_a_signal_error(junk: bytes) -> None:
    _only_alerts_or_a_signal_error(junk)


@given(st.integers(0, 1500), st.binary(max_size=6))
def test_a_real_body_damaged_anywhere_gives_alerts_or_a_signal_error(at: int, junk: bytes) -> None:
    whole = recorded("mixed-group2")
    _only_alerts_or_a_signal_error(whole[:at] + junk + whole[at + len(junk) :])


def _only_alerts_or_a_signal_error(given_body: bytes) -> None:
    try:
        alerts = decode(given_body)
    except SignalError:
        return
    assert all(isinstance(alert, Alert) for alert in alerts)
