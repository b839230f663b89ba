"""Every sender that is taken: its address, what to put into its settings, and an example of what it posts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from tocsin.bootstrap.senders import expressions_of
from tocsin.config import Settings
from tocsin.incident.alert import Alert
from tocsin.signals import alertmanager, mapped, opsgenie, pagerduty
from tocsin.web.alerts import ALERTMANAGER_API, DECODERS, MAPPED
from tocsin.web.pagerduty import ENQUEUE

Decode = Callable[[bytes, datetime], list[Alert]]
TOKEN = "TOKEN"  # noqa: S105  what people put their own in place of


class SourceKind(Struct, frozen=True):
    """A sender. `name` is as in its tally; `snippet` holds `{url}` and TOKEN; `sample` is one firing alert.

    `address` is of a source that nobody posts to: where its mail goes, or what it watches.
    """

    name: str
    title: str
    path: str
    credential: str
    snippet: str
    sample: Any
    decode: Decode
    address: str = ""

    @property
    def body(self) -> bytes:
        return self.sample.encode() if isinstance(self.sample, str) else json.dumps(self.sample).encode()


_LABELS = {"alertname": "HighErrorRate", "severity": "critical", "service": "backend"}
_TOLD = {"summary": "A test: 5xx rate above 5 %"}
_BEARER = "Authorization: Bearer TOKEN, or a basic password"
_QUERY = "?token=TOKEN in the address"


def _posted(at: str) -> dict[str, Any]:
    return {"labels": _LABELS, "annotations": _TOLD, "startsAt": at}


_AT = "2026-01-05T03:00:00Z"
_WEBHOOK = {"version": "4", "status": "firing", "alerts": [{"status": "firing", **_posted(_AT)}]}
_KUMA = {"id": 1, "name": "Shop", "url": "https://shop.example.com", "tags": [{"name": "service", "value": "backend"}]}
_ALARM = {"AlarmName": "CPU high", "NewStateValue": "ALARM", "AlarmArn": "arn:aws:cloudwatch:eu-west-1:1:alarm:cpu"}

_ALERTMANAGER = """receivers:
  - name: tocsin
    webhook_configs:
      - url: {url}/api/v1/alerts/alertmanager
        max_alerts: 0
        http_config: {authorization: {credentials: TOKEN}}"""
_PAGERDUTY = """receivers:
  - name: tocsin
    pagerduty_configs:
      - url: {url}/v2/enqueue
        routing_key: TOKEN"""
_OPSGENIE = """receivers:
  - name: tocsin
    opsgenie_configs:
      - api_url: {url}/
        api_key: TOKEN"""
_PROMETHEUS = """alerting:
  alertmanagers:
    - scheme: https
      static_configs: [{targets: ["{host}"]}]
      authorization: {credentials: TOKEN}"""
_GRAFANA = """apiVersion: 1
contactPoints:
  - name: tocsin
    receivers:
      - uid: tocsin
        type: webhook
        settings:
          url: {url}/api/v1/alerts/grafana
          authorization_scheme: Bearer
          authorization_credentials: TOKEN"""
_CURL = """curl -X POST {url}/api/v1/alerts/generic \\
  -H "Authorization: Bearer TOKEN" -H "Content-Type: application/json" \\
  -d '{"title": "Checkout is down", "service": "backend", "severity": "critical"}'"""
_SNS = """aws sns subscribe --topic-arn ARN --protocol https \\
  --notification-endpoint '{url}/api/v1/alerts/sns?token=TOKEN'"""
_DATADOG = """Integrations > Webhooks > New, then name @webhook-tocsin in a monitor
URL      {url}/api/v1/alerts/datadog?token=TOKEN
Payload  {"id": "$ID", "alert_id": "$ALERT_ID", "title": "$EVENT_TITLE", "body": "$EVENT_MSG",
          "transition": "$ALERT_TRANSITION", "priority": "$ALERT_PRIORITY", "scope": "$ALERT_SCOPE",
          "tags": "$TAGS", "link": "$LINK", "host": "$HOSTNAME"}"""
_SENTRY = """Settings > Integrations > Internal integration
Webhook URL  {url}/api/v1/alerts/sentry?token=TOKEN
Permissions  Issue & Event: read; webhooks: issue"""
_UPTIME_KUMA = """Settings > Notifications > Webhook
Post URL  {url}/api/v1/alerts/uptime-kuma?token=TOKEN
Body      Preset - application/json"""
_HEALTHCHECKS = """Integrations > Webhook, for both "down" and "up"
POST {url}/api/v1/alerts/healthchecks?token=TOKEN
Body {"name": "$NAME", "status": "$STATUS", "code": "$CODE", "tags": "$TAGS"}"""
_MAPPED = """curl -X POST {url}/api/v1/alerts/mapped/{name} \\
  -H "Authorization: Bearer TOKEN" -d @body.json"""


def kinds(settings: Settings) -> Sequence[SourceKind]:
    """All of them, those with declared mappings last."""
    declared = [
        SourceKind(
            f"mapped/{m.name}", f"{m.name} (declared mapping)", f"{MAPPED}/{m.name}", _BEARER,
            _MAPPED.replace("{name}", m.name), None, _by_mapping(settings, m.name),
        )
        for m in settings.sources.mappings
    ]  # fmt: skip
    return [*_KINDS, *declared]


def _by_mapping(settings: Settings, name: str) -> Decode:
    def decode(body: bytes, at: datetime) -> list[Alert]:
        expressions = expressions_of(settings, name)
        return mapped.decode(body, expressions, at=at) if expressions else []

    return decode


def _plain(name: str) -> Decode:
    return lambda body, at: DECODERS[name](body, at=at)


def _event(body: bytes, at: datetime) -> list[Alert]:
    event = pagerduty.decode(body, at=at, minted="test")
    return [event.alert] if event.alert else []


def _kind(name: str, title: str, credential: str, snippet: str, sample: Mapping[str, Any]) -> SourceKind:
    return SourceKind(name, title, f"/api/v1/alerts/{name}", credential, snippet, sample, _plain(name))


_KINDS = (
    _kind("alertmanager", "Alertmanager", _BEARER, _ALERTMANAGER, _WEBHOOK),
    SourceKind(
        "prometheus", "Prometheus, without an Alertmanager", ALERTMANAGER_API, _BEARER, _PROMETHEUS, [_posted(_AT)],
        lambda body, at: alertmanager.decode_api(body, at=at),
    ),
    _kind("grafana", "Grafana", _BEARER, _GRAFANA, _WEBHOOK | {"version": "1"}),
    SourceKind(
        "pagerduty", "PagerDuty Events: its clients and pagerduty_configs", ENQUEUE, "routing_key, in the body",
        _PAGERDUTY,
        {"routing_key": TOKEN, "event_action": "trigger", "dedup_key": "tocsin-test",
         "payload": {"summary": "A test: disk full", "source": "db-1", "severity": "critical", "component": "backend"}},
        _event,
    ),
    SourceKind(
        "opsgenie", "Opsgenie: its clients and opsgenie_configs", "/v2/alerts", "Authorization: GenieKey TOKEN",
        _OPSGENIE,
        {"message": "A test: disk full", "alias": "tocsin-test", "priority": "P1", "details": {"service": "backend"}},
        lambda body, at: [opsgenie.decode(body, at=at, minted="test")],
    ),
    _kind("datadog", "Datadog", _QUERY, _DATADOG,
          {"alert_id": "1", "title": "[Triggered] A test: CPU is high", "body": "97 %", "tags": "service:backend"}),
    _kind("sentry", "Sentry", _QUERY, _SENTRY,
          {"action": "created", "data": {"issue": {"id": "1", "title": "A test: KeyError", "level": "error",
                                                   "status": "unresolved", "project": {"slug": "backend"}}}}),
    _kind("sns", "Amazon SNS and CloudWatch", _QUERY, _SNS,
          {"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:1:ops", "Message": json.dumps(_ALARM)}),
    _kind("uptime-kuma", "Uptime Kuma", _QUERY, _UPTIME_KUMA,
          {"heartbeat": {"monitorID": 1, "status": 0, "msg": "timeout"}, "monitor": _KUMA, "msg": "A test"}),
    _kind("healthchecks", "Healthchecks.io", _QUERY, _HEALTHCHECKS,
          {"name": "A test", "status": "down", "code": "c0de", "tags": "service=backend"}),
    _kind("generic", "Anything that posts JSON", _BEARER, _CURL,
          {"title": "A test: checkout is down", "service": "backend", "severity": "critical"}),
)  # fmt: skip
