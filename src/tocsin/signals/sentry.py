"""Sentry's webhooks: issue alerts, issues, metric alerts, and the older webhook plugin. Refuses to decide.

Source: Sentry's manual, "Webhooks" of its integration platform. One issue is one alert, whatever its events say.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from tocsin.incident.alert import Alert, AlertStatus, fingerprint
from tocsin.signals.decoding import decoded, text, texts
from tocsin.signals.errors import SignalError
from tocsin.signals.keyed import link, word

SOURCE = "sentry"
_OVER = ("resolved", "archived", "ignored")
_SEVERITIES = {"fatal": "critical", "critical": "critical", "error": "error", "warning": "warning", "info": "info"}


class WireProject(Struct):
    slug: str | None = None
    name: str | None = None


class WireIssue(Struct):
    id: str | int | None = None
    title: str | None = None
    culprit: str | None = None
    level: str | None = None
    status: str | None = None
    web_url: str | None = None
    permalink: str | None = None
    project: WireProject | str | int | None = None


class WireEvent(WireIssue):
    issue_id: str | int | None = None
    environment: str | None = None
    message: str | None = None
    url: str | None = None


class WireMetricRule(Struct):
    id: str | int | None = None
    name: str | None = None


class WireMetricAlert(Struct):
    id: str | int | None = None
    title: str | None = None
    alert_rule: WireMetricRule | None = None
    projects: list[str] | None = None


class WireData(Struct):
    event: WireEvent | None = None
    issue: WireIssue | None = None
    metric_alert: WireMetricAlert | None = None
    triggered_rule: str | None = None
    description_title: str | None = None
    description_text: str | None = None
    web_url: str | None = None


class WireHook(Struct):
    action: str | None = None
    data: WireData | None = None
    id: str | int | None = None
    project: str | int | None = None
    project_slug: str | None = None
    culprit: str | None = None
    level: str | None = None
    message: str | None = None
    url: str | None = None
    event: Any = None


def decode(body: bytes, *, at: datetime) -> list[Alert]:
    """The alert of one hook that arrived `at` (aware UTC); raises SignalError naming the field at fault.

    A hook that is about no issue (an installation, a comment) gives none.
    """
    wire = decoded(body, WireHook)
    data = wire.data
    if data is None:
        return [_of_plugin(wire, at)]
    if data.metric_alert is not None:
        return [_of_metric(wire, data, data.metric_alert, at)]
    if data.event is not None:
        return [_of_event(data, data.event, at)]
    return [_of_issue(wire, data.issue, at)] if data.issue is not None else []


def _of_event(data: WireData, event: WireEvent, at: datetime) -> Alert:
    title = event.title or event.message or ""
    told = {"culprit": event.culprit, "rule": data.triggered_rule}
    return _alert(
        title,
        field="data.event.title",
        key=word(event.issue_id) or word(event.id) or title,
        named={"level": event.level, "environment": event.environment, "project": _project(event.project)},
        told=told,
        url=link(event.web_url, event.permalink, event.url),
        at=at,
    )


def _of_issue(wire: WireHook, issue: WireIssue, at: datetime) -> Alert:
    said = {wire.action or "", issue.status or ""}
    title = issue.title or ""
    return _alert(
        title,
        field="data.issue.title",
        key=word(issue.id) or title,
        named={"level": issue.level, "project": _project(issue.project)},
        told={"culprit": issue.culprit},
        url=link(issue.web_url, issue.permalink),
        at=at,
        over=bool(said.intersection(_OVER)),
    )


def _of_metric(wire: WireHook, data: WireData, metric: WireMetricAlert, at: datetime) -> Alert:
    rule = metric.alert_rule or WireMetricRule()
    title = data.description_title or metric.title or rule.name or ""
    projects = metric.projects or []
    return _alert(
        title,
        field="data.metric_alert.title",
        key=f"metric {word(rule.id) or word(metric.id) or title}",
        named={"level": wire.action, "project": projects[0] if len(projects) == 1 else ""},
        told={"description": data.description_text},
        url=link(data.web_url),
        at=at,
        over=wire.action in _OVER,
    )


def _of_plugin(wire: WireHook, at: datetime) -> Alert:
    title = wire.message or wire.culprit or ""
    return _alert(
        title,
        field="message",
        key=word(wire.id) or title,
        named={"level": wire.level, "project": wire.project_slug or word(wire.project)},
        told={"culprit": wire.culprit},
        url=link(wire.url),
        at=at,
    )


def _alert(
    title: str,
    *,
    field: str,
    key: str,
    named: dict[str, str | None],
    told: dict[str, str | None],
    url: str,
    at: datetime,
    over: bool = False,
) -> Alert:
    summary = text(title).strip()
    if not summary:
        raise SignalError("missing", field)
    severity = _SEVERITIES.get(named.get("level") or "", "")
    labels = {"alertname": summary, "severity": severity, "service": named.get("project")} | named
    return Alert(
        fingerprint=fingerprint({"source": SOURCE, "key": text(key)}),
        status=AlertStatus.RESOLVED if over else AlertStatus.FIRING,
        labels=texts({name: value for name, value in labels.items() if value}),
        annotations=texts({name: value for name, value in told.items() if value} | {"summary": summary}),
        starts_at=at,
        ends_at=at if over else None,
        source=SOURCE,
        generator_url=url,
    )


def _project(project: WireProject | str | int | None) -> str:
    return (project.slug or project.name or "") if isinstance(project, WireProject) else word(project)
