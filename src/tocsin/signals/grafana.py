"""Grafana Alerting's webhook, version 1: Alertmanager's shape with links and the values that fired. Refuses to decide.

Source: the Grafana manual, "Configure the webhook notifier". The body of its older, legacy alerting (`ruleName`,
`evalMatches`) comes to the same address and is told apart by its fields.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from tocsin.incident.alert import Alert, AlertStatus, fingerprint
from tocsin.signals.alertmanager import WireAlert, as_alert
from tocsin.signals.decoding import decoded, text, texts
from tocsin.signals.errors import SignalError
from tocsin.signals.keyed import link, word

SOURCE = "grafana"


class WireGrafanaAlert(WireAlert):
    dashboardURL: str | None = None
    panelURL: str | None = None
    silenceURL: str | None = None
    imageURL: str | None = None
    valueString: str | None = None


class RuleState(StrEnum):
    ALERTING = "alerting"
    OK = "ok"
    NO_DATA = "no_data"
    PAUSED = "paused"
    PENDING = "pending"


class WireMatch(Struct):
    metric: str | None = None
    value: float | str | None = None


class WireRule(Struct):
    """Legacy alerting: one rule, and the series that matched it."""

    state: RuleState
    ruleName: str = ""
    ruleId: int | str | None = None
    orgId: int | str | None = None
    dashboardId: int | str | None = None
    panelId: int | str | None = None
    ruleUrl: str | None = None
    imageUrl: str | None = None
    title: str | None = None
    message: str | None = None
    tags: dict[str, str] | None = None
    evalMatches: list[WireMatch] | None = None


class WireEither(Struct):
    """Both shapes, as far as they have to be told apart and are the newer one's."""

    alerts: list[WireGrafanaAlert] | None = None
    groupKey: str = ""
    ruleName: str | None = None
    ruleId: int | str | None = None


_EXTRAS = ("dashboardURL", "panelURL", "silenceURL", "imageURL", "valueString")


def decode(body: bytes, *, at: datetime) -> list[Alert]:
    """The alerts of one webhook body, in its order; raises SignalError naming the field at fault.

    The links and `valueString` that came are found among the annotations under Grafana's own names. `at` is when it
    arrived, aware UTC: legacy alerting says no times.
    """
    group = decoded(body, WireEither)
    if group.alerts is None:
        if group.ruleName is None and group.ruleId is None:
            raise SignalError("missing", "alerts")
        return _of_rule(decoded(body, WireRule), at)
    return [
        as_alert(alert, f"alerts[{index}]", group=group.groupKey, source=SOURCE, extra=_extras(alert))
        for index, alert in enumerate(group.alerts)
    ]


def _extras(alert: WireGrafanaAlert) -> dict[str, str]:
    return {name: value for name in _EXTRAS if (value := getattr(alert, name))}


def _of_rule(wire: WireRule, at: datetime) -> list[Alert]:
    """One rule is one alert: `ok` names no series. No data is told as firing, paused and pending are not told."""
    if wire.state in (RuleState.PAUSED, RuleState.PENDING):
        return []
    name = text(wire.ruleName or wire.title or "").strip()
    if not name:
        raise SignalError("missing", "ruleName")
    over = wire.state is RuleState.OK
    about = {"org": word(wire.orgId), "rule": word(wire.ruleId) or name}
    matches = ", ".join(f"{m.metric} = {word(m.value)}" for m in wire.evalMatches or ())
    told = {"summary": wire.title or name, "description": wire.message, "matches": matches, "imageURL": wire.imageUrl}
    return [
        Alert(
            fingerprint=fingerprint(texts({"source": SOURCE} | about)),
            status=AlertStatus.RESOLVED if over else AlertStatus.FIRING,
            labels=texts(wire.tags) | {"alertname": name},
            annotations=texts({key: value for key, value in told.items() if value}),
            starts_at=at,
            ends_at=at if over else None,
            source=SOURCE,
            generator_url=link(wire.ruleUrl),
        )
    ]
