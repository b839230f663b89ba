"""`tocsin signals` against a served house."""

from __future__ import annotations

import json
import ssl

import httpx
from terminals import Terminal

ALERT = {
    "status": "firing", "startsAt": "2026-01-05T03:00:00Z",
    "labels": {"alertname": "Down", "service": "cart", "severity": "critical"},
}  # fmt: skip


def posted(ana: Terminal) -> None:
    """An alert of Alertmanager's, as Ana's token may send it."""
    url, token = ana.environment["TOCSIN_URL"], ana.environment["TOCSIN_TOKEN"]
    with httpx.Client(trust_env=False, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)) as server:
        headers = {"Authorization": f"Bearer {token}"}
        server.post(f"{url}/api/v1/alerts/alertmanager", json={"alerts": [ALERT]}, headers=headers).raise_for_status()


def test_what_senders_sent_is_listed_and_shown_with_its_reasons(ana: Terminal) -> None:
    posted(ana)
    listed = ana.says("signals", "--sender", "alertmanager", "--limit", 1)
    assert "200  alertmanager    opened #" in listed
    number = listed.split()[0]
    said = ana.says("signals", number)
    assert "service cart: its label service; no [services] entry matches" in said
    assert '"alertname"' in said
    assert json.loads(ana.says("signals", number, "--json"))["sender"] == "alertmanager"


def test_a_sender_of_which_nothing_was_heard_says_so(ana: Terminal) -> None:
    assert ana.says("signals", "--sender", "nobody") == "Nothing was sent since the server began.\n"


def test_a_signal_that_is_not_kept_is_one_line(ana: Terminal) -> None:
    assert "signal 999 is not kept" in ana.refuses("signals", 999)
