"""What is peculiar to each of the smaller senders; what they share is in the contract test."""

from __future__ import annotations

import json
from typing import Any

import pytest
from senders import ALARM, AT, CHECK, DATADOG, ISSUE, MONITOR, issue, kuma, sns_message

from tocsin.incident.alert import Alert, AlertStatus
from tocsin.signals import datadog, healthchecks, sentry, sns, uptime_kuma
from tocsin.signals.errors import SignalError
from tocsin.signals.keyed import listed_labels


def of_sns(body: dict[str, Any]) -> list[Alert]:
    return sns.decode(json.dumps(body).encode(), at=AT)


def of_datadog(**changes: Any) -> Alert:
    (alert,) = datadog.decode(json.dumps(DATADOG | changes).encode(), at=AT)
    return alert


def of_sentry(body: dict[str, Any]) -> list[Alert]:
    return sentry.decode(json.dumps(body).encode(), at=AT)


# SNS


def test_an_alarm_keeps_its_dimensions_as_labels_and_its_own_time() -> None:
    (alert,) = of_sns(sns_message(ALARM))
    assert (alert.labels["InstanceId"], alert.labels["region"]) == ("i-1", "EU (Ireland)")
    assert alert.starts_at.isoformat() == "2026-11-23T07:00:00+00:00"


def test_an_alarm_without_enough_data_says_nothing() -> None:
    assert of_sns(sns_message(ALARM | {"NewStateValue": "INSUFFICIENT_DATA"})) == []


def test_a_message_that_is_no_alarm_is_an_alert_by_its_subject() -> None:
    (alert,) = of_sns({"Type": "Notification", "TopicArn": "arn:x:ops", "Subject": "Build failed", "Message": "log"})
    assert (alert.name, alert.annotations["description"], alert.labels["topic"]) == ("Build failed", "log", "ops")


def test_a_broken_alarm_is_refused_by_its_field_inside_the_message() -> None:
    with pytest.raises(SignalError) as caught:
        of_sns(sns_message(ALARM | {"NewStateValue": "BROKEN"}))
    assert caught.value.field == "Message.NewStateValue"


def test_a_topic_to_confirm_is_told_to_people_and_is_no_incident() -> None:
    address = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
    (alert,) = of_sns({"Type": "SubscriptionConfirmation", "TopicArn": "arn:ops", "SubscribeURL": address})
    assert (alert.labels["severity"], alert.annotations["confirm"]) == ("none", address)


@pytest.mark.parametrize("address", ["http://sns.eu-west-1.amazonaws.com/", "https://evil.example.com/sns.eu.amazonaws.com/",
                                     "https://sns.eu.amazonaws.com.evil.com/", "", "javascript:alert(1)"])  # fmt: skip
def test_an_address_that_is_not_of_sns_is_not_even_shown(address: str) -> None:
    with pytest.raises(SignalError) as caught:
        of_sns({"Type": "SubscriptionConfirmation", "TopicArn": "arn:ops", "SubscribeURL": address})
    assert caught.value.field == "SubscribeURL"


# Datadog


@pytest.mark.parametrize(("title", "status"), [
    ("[Triggered] CPU", "firing"), ("[Re-Triggered] CPU", "firing"), ("[Warn] CPU", "firing"),
    ("[No data] CPU", "firing"),
    ("[Recovered] CPU", "resolved"), ("[P1] [Recovered on {host:a}] CPU", "resolved"), ("CPU", "firing"),
])  # fmt: skip
def test_the_mark_before_a_title_says_whether_it_fires(title: str, status: str) -> None:
    alert = of_datadog(title=title, alert_id=None)
    assert (alert.status, alert.name) == (status, "CPU")
    assert alert.fingerprint == of_datadog(title="CPU", alert_id=None).fingerprint


def test_a_transition_counts_above_the_mark_and_tags_become_labels() -> None:
    alert = of_datadog(transition="Recovered")
    assert alert.status is AlertStatus.RESOLVED
    assert (alert.labels["service"], alert.labels["env"]) == ("cart", "prod")


@pytest.mark.parametrize(("said", "severity"), [({"priority": "P2"}, "P2"), ({"title": "[Warn] x"}, "warning"),
                                                ({"priority": "normal", "title": "x"}, None)])  # fmt: skip
def test_a_priority_or_the_transition_suggests_the_severity(said: dict[str, str], severity: str | None) -> None:
    assert of_datadog(**said).labels.get("severity") == severity


# Sentry


@pytest.mark.parametrize(
    ("change", "status"), [({}, "firing"), ({"status": "resolved"}, "resolved"), ({"status": "ignored"}, "resolved")]
)
def test_an_issue_fires_until_it_is_resolved_or_archived(change: dict[str, str], status: str) -> None:
    (alert,) = of_sentry(issue(**change))
    assert (alert.status, alert.labels["service"], alert.labels["severity"]) == (status, "cart", "error")


def test_events_of_one_issue_are_one_alert() -> None:
    event = {"issue_id": "5", "title": "KeyError: y", "level": "fatal", "environment": "prod", "web_url": "https://s/5"}
    (alert,) = of_sentry({"action": "triggered", "data": {"event": event, "triggered_rule": "any"}})
    assert alert.fingerprint == of_sentry(issue())[0].fingerprint
    assert (alert.labels["severity"], alert.labels["environment"], alert.generator_url) == (
        "critical",
        "prod",
        "https://s/5",
    )


@pytest.mark.parametrize(
    ("action", "status"), [("critical", "firing"), ("warning", "firing"), ("resolved", "resolved")]
)
def test_a_metric_alert_is_its_rules(action: str, status: str) -> None:
    metric = {"id": "1", "alert_rule": {"id": "9", "name": "Error rate"}, "projects": ["cart"]}
    (alert,) = of_sentry({"action": action, "data": {"metric_alert": metric, "description_text": "5 %"}})
    assert (alert.status, alert.name, alert.labels["service"]) == (status, "Error rate", "cart")


def test_the_older_plugin_is_read_too_and_an_installation_is_no_alert() -> None:
    (alert,) = of_sentry(
        {"id": ISSUE["id"], "message": "KeyError", "project_slug": "cart", "level": "error", "url": "u"}
    )
    assert (alert.name, alert.labels["service"], alert.generator_url) == ("KeyError", "cart", "")
    assert of_sentry({"action": "created", "data": {"installation": {}}}) == []


# uptime-kuma and healthchecks.io


@pytest.mark.parametrize(("status", "told"), [(0, ["firing"]), (1, ["resolved"]), (2, []), (3, [])])
def test_a_monitor_is_told_when_down_and_when_up(status: int, told: list[str]) -> None:
    alerts = uptime_kuma.decode(json.dumps(kuma(status)).encode(), at=AT)
    assert [a.status for a in alerts] == told
    assert all((a.name, a.labels["service"], a.generator_url) == ("Shop", "shop", MONITOR["url"]) for a in alerts)


def test_the_test_of_uptime_kumas_settings_page_is_taken_and_is_no_alert() -> None:
    assert uptime_kuma.decode(b'{"heartbeat": null, "monitor": null, "msg": "Testing"}', at=AT) == []


@pytest.mark.parametrize(("status", "told"), [("down", ["firing"]), ("up", ["resolved"]), ("grace", []), ("new", [])])
def test_a_check_is_told_when_down_and_when_up(status: str, told: list[str]) -> None:
    alerts = healthchecks.decode(json.dumps(CHECK | {"status": status}).encode(), at=AT)
    assert [a.status for a in alerts] == told
    assert all((a.name, a.labels["service"]) == ("Backup", "db") for a in alerts)


# Alertmanager's listing


def test_a_listing_is_about_what_its_first_alert_is_and_as_severe_as_all_of_it() -> None:
    block = "Labels:\n - alertname = A\n - pod = {}\n - severity = {}\nAnnotations:\n - summary = x\nSource: y\n"
    assert listed_labels(block.format("a", "x") + block.format("b", "x")) == {
        "alertname": "A", "pod": "a", "severity": "x"
    }  # fmt: skip
    assert "severity" not in listed_labels(block.format("a", "x") + block.format("b", "y"))
    assert listed_labels("nothing of the kind") == {}
