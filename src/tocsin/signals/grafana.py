"""Grafana Alerting's webhook, version 1: Alertmanager's shape with links and the values that fired. Refuses to decide.

Source: the Grafana manual, "Configure the webhook notifier". Its older body (`ruleName`, `evalMatches`) is not read.
"""

from __future__ import annotations

from msgspec import Struct

from tocsin.incident.alert import Alert
from tocsin.signals.alertmanager import WireAlert, as_alert
from tocsin.signals.decoding import decoded

SOURCE = "grafana"


class WireGrafanaAlert(WireAlert):
    dashboardURL: str | None = None
    panelURL: str | None = None
    silenceURL: str | None = None
    imageURL: str | None = None
    valueString: str | None = None


class WireGrafanaGroup(Struct):
    alerts: list[WireGrafanaAlert]
    groupKey: str = ""


_EXTRAS = ("dashboardURL", "panelURL", "silenceURL", "imageURL", "valueString")


def decode(body: bytes) -> list[Alert]:
    """The alerts of one webhook body, in its order; raises SignalError naming the field at fault.

    The links and `valueString` that came are found among the annotations under Grafana's own names.
    """
    group = decoded(body, WireGrafanaGroup)
    return [
        as_alert(alert, f"alerts[{index}]", group=group.groupKey, source=SOURCE, extra=_extras(alert))
        for index, alert in enumerate(group.alerts)
    ]


def _extras(alert: WireGrafanaAlert) -> dict[str, str]:
    return {name: value for name in _EXTRAS if (value := getattr(alert, name))}
