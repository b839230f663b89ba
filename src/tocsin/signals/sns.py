"""AWS SNS over HTTP: CloudWatch alarms, and any other text that a topic carries. Refuses to fetch or to decide.

Source: the SNS developer guide, "Parsing message formats", and CloudWatch's alarm message. A topic asks to have its
subscription confirmed by opening an address; that address is told to people and not fetched here, because whoever can
post could name any address. Whether a message is really its topic's is `sns_signature`'s business.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec import Struct

from tocsin.incident.alert import Alert, AlertStatus, fingerprint
from tocsin.signals.decoding import Instant, decoded, text, texts, utc
from tocsin.signals.errors import SignalError

SOURCE = "sns"
CONFIRMATION = "SubscriptionConfirmation"
_OF_AWS = re.compile(r"https://sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/\S*")


class State(StrEnum):
    """INSUFFICIENT_DATA says nothing either way; which of the two it was before stays."""

    ALARM = "ALARM"
    OK = "OK"
    UNKNOWN = "INSUFFICIENT_DATA"


class WireMessage(Struct):
    Type: str
    TopicArn: str = ""
    Subject: str | None = None
    Message: str = ""
    SubscribeURL: str | None = None


class WireDimension(Struct):
    name: str
    value: str


class WireTrigger(Struct):
    MetricName: str | None = None
    Namespace: str | None = None
    Dimensions: list[WireDimension] | None = None


class WireAlarm(Struct):
    AlarmName: str
    NewStateValue: State
    AlarmArn: str | None = None
    AlarmDescription: str | None = None
    NewStateReason: str | None = None
    StateChangeTime: str | None = None
    Region: str | None = None
    AWSAccountId: str | None = None
    Trigger: WireTrigger | None = None


def decode(body: bytes, *, at: datetime) -> list[Alert]:
    """The alert of one message that arrived `at` (aware UTC), if it holds one; raises SignalError naming the field."""
    wire = decoded(body, WireMessage)
    match wire.Type:
        case "Notification":
            return _notified(wire, at)
        case "SubscriptionConfirmation":
            return [_to_confirm(wire, at)]
        case "UnsubscribeConfirmation":
            return []
        case _:
            raise SignalError("no message of SNS: Notification or SubscriptionConfirmation is meant", "Type")


def _notified(wire: WireMessage, at: datetime) -> list[Alert]:
    if '"AlarmName"' not in wire.Message:
        return [_of_text(wire, at)]
    try:
        alarm = decoded(wire.Message.encode("utf-8", "surrogatepass"), WireAlarm)
    except SignalError as exc:
        raise SignalError(exc.reason, f"Message.{exc.field}".removesuffix(".")) from exc
    return [] if alarm.NewStateValue is State.UNKNOWN else [_of_alarm(alarm, at)]


def _of_alarm(alarm: WireAlarm, at: datetime) -> Alert:
    over = alarm.NewStateValue is State.OK
    trigger = alarm.Trigger or WireTrigger()
    labels = {
        "alertname": alarm.AlarmName,
        "region": alarm.Region,
        "account": alarm.AWSAccountId,
        "metric": trigger.MetricName,
        "namespace": trigger.Namespace,
        **{d.name: d.value for d in trigger.Dimensions or ()},
    }
    told = {"summary": alarm.AlarmName, "description": alarm.AlarmDescription, "reason": alarm.NewStateReason}
    changed_at = _instant(alarm.StateChangeTime, at)
    return Alert(
        fingerprint=fingerprint({"source": SOURCE, "alarm": text(alarm.AlarmArn or alarm.AlarmName)}),
        status=AlertStatus.RESOLVED if over else AlertStatus.FIRING,
        labels=texts({name: value for name, value in labels.items() if value}),
        annotations=texts({name: value for name, value in told.items() if value}),
        starts_at=changed_at,
        ends_at=changed_at if over else None,
        source=SOURCE,
    )


def _of_text(wire: WireMessage, at: datetime) -> Alert:
    """A message of no known form: its subject is the alert, and nothing says when it is over."""
    topic = wire.TopicArn.rpartition(":")[2]
    title = text(wire.Subject or wire.Message[:100]).strip() or topic
    if not title:
        raise SignalError("missing; a notification needs a subject or a message", "Message")
    return Alert(
        fingerprint=fingerprint({"source": SOURCE, "topic": text(wire.TopicArn), "subject": title}),
        status=AlertStatus.FIRING,
        labels=texts({"alertname": title, "topic": topic}),
        annotations=texts({"summary": title, "description": wire.Message}),
        starts_at=at,
        ends_at=None,
        source=SOURCE,
    )


def _to_confirm(wire: WireMessage, at: datetime) -> Alert:
    """Kept among the alerts and no incident, so that a person finds the address to open."""
    address = wire.SubscribeURL or ""
    if not _OF_AWS.fullmatch(address):
        raise SignalError("not an address of SNS", "SubscribeURL")
    summary = f"SNS topic {wire.TopicArn} asks to be confirmed: open the address in a browser if the topic is yours"
    return Alert(
        fingerprint=fingerprint({"source": SOURCE, "confirm": text(wire.TopicArn)}),
        status=AlertStatus.FIRING,
        labels=texts({"alertname": CONFIRMATION, "severity": "none", "topic": wire.TopicArn}),
        annotations=texts({"summary": summary, "confirm": address}),
        starts_at=at,
        ends_at=None,
        source=SOURCE,
        generator_url=text(address),
    )


def _instant(written: str | None, at: datetime) -> datetime:
    """CloudWatch writes `+0000` where RFC 3339 wants a colon; a time that cannot be read is the arrival."""
    with_colon = re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", written or "")
    try:
        return min(at, utc(msgspec.convert(with_colon, Instant), "Message.StateChangeTime"))
    except (msgspec.ValidationError, SignalError):
        return at
