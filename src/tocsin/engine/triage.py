"""What becomes of an alert by the rules of the settings: routes, maintenance windows, inhibitions; and silences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from tocsin.diagnosis.impact import Impact, of_impact, to_begin_with
from tocsin.engine.storage import Transaction
from tocsin.incident.alert import Alert, AlertStatus
from tocsin.incident.matchers import Matchers, match_all
from tocsin.incident.policy import Policy
from tocsin.incident.silences import Window
from tocsin.incident.state import Incident

REPORT = "report"
"""The source of what people report."""
SILENCE, MAINTENANCE, INHIBIT = "silence:", "maintenance:", "inhibit:"
NAME = "alertname"


class Service(Struct, frozen=True):
    """A configured service: an alert whose labels hold all of `match` is about it."""

    name: str
    match: Mapping[str, str]

    def matches(self, labels: Mapping[str, str]) -> bool:
        return bool(self.match) and all(labels.get(k) == v for k, v in self.match.items())


class Route(Struct, frozen=True):
    """What the settings say of alerts with such labels; empty says nothing. `role` is paged first when it opens an
    incident, which is handled by `runbook`; without `incident` it opens none."""

    number: int
    matchers: Matchers
    service: str = ""
    severity: str = ""
    role: str = ""
    incident: bool = True
    runbook: str = ""
    after_quiet: str = ""
    quiet: timedelta | None = None


class Join(Struct, frozen=True):
    """Alerts with such labels that begin so soon after an incident's opening, with the same values of `equal` as the
    alert that opened it, are of that incident whatever their service."""

    number: int
    matchers: Matchers
    equal: tuple[str, ...]
    within: timedelta

    def same(self, alert: Alert, incident: Incident) -> bool:
        """Whether the alert is of the incident's trouble; a label that one of them lacks is not the same."""
        alike = all(alert.labels.get(n) and alert.labels.get(n) == incident.labels.get(n) for n in self.equal)
        return alike and match_all(self.matchers, incident.labels)


class Inhibition(Struct, frozen=True):
    """While an alert of `source` fires, those of `target` with the same values of `equal` open no incident."""

    number: int
    source: Matchers
    target: Matchers
    equal: tuple[str, ...] = ()

    def source_name(self, target: Alert) -> str:
        """The alertname that a source for this target has: its matcher names it, or it is among `equal`."""
        named = next((m.value for m in self.source if m.label == NAME and m.operator == "="), "")
        return named or (target.name if NAME in self.equal else "")

    def is_source(self, alert: Alert) -> bool:
        return match_all(self.source, alert.labels) and not match_all(self.target, alert.labels)

    def stands_for(self, source: Alert, target: Alert) -> bool:
        """Whether the firing source silences the target; nothing silences itself, nor what is its like."""
        if source.fingerprint == target.fingerprint or source.status is not AlertStatus.FIRING:
            return False
        if source.drill and not target.drill:
            return False  # what only practises silences nothing real
        same = all(source.labels.get(label, "") == target.labels.get(label, "") for label in self.equal)
        return same and self.is_source(source)


def _nobody_measures(service: str) -> None:
    """What is known of a service's users where nobody asks."""


class Triage(Struct, frozen=True):
    """The rules of the settings, each kind in the order written."""

    services: tuple[Service, ...] = ()
    routes: tuple[Route, ...] = ()
    windows: tuple[Window, ...] = ()
    inhibitions: tuple[Inhibition, ...] = ()
    joins: tuple[Join, ...] = ()
    impact_of: Callable[[str], Impact | None] = _nobody_measures
    """The share of a service's users affected, as it was measured last; never waits for it."""

    def route_of(self, alert: Alert) -> Route | None:
        """The first route that matches."""
        return next((r for r in self.routes if match_all(r.matchers, alert.labels)), None)

    def runbook_of(self, alert: Alert) -> str:
        """The name of the runbook that an incident of it is handled by; empty for the main one."""
        route = self.route_of(alert)
        return route.runbook if route else ""

    def runbook_for(self, service: str) -> str:
        """The name of the runbook for what people declare about a service: as for an alert with that label alone."""
        labels = {"service": service}
        return next((r.runbook for r in self.routes if service and match_all(r.matchers, labels)), "")

    def service_of(self, alert: Alert) -> str:
        """What the alert is about: as its route says, else as `service_of` finds."""
        route = self.route_of(alert)
        return (route.service if route else "") or service_of(alert, self.services)

    def severity_of(self, alert: Alert, policy: Policy) -> tuple[str, str] | None:
        """The level that its incident begins with and why; None for what is no incident, whatever a route says."""
        route, label = self.route_of(alert), policy.severity_for(alert.labels)
        if label is None or (route is not None and not route.incident):
            return None
        routed = route is not None and policy.runbook.severity(route.severity) is not None
        if route is not None and routed:
            label = route.severity, f"[[routes]] entry {route.number}"
        impact = self.impact_of(self.service_of(alert))
        if impact is None:
            return label
        told = routed or bool(alert.labels.get("severity"))
        return to_begin_with(label, told, of_impact(policy.runbook, impact))

    def held(self, tx: Transaction, alert: Alert, now: datetime) -> str:
        """What keeps a firing alert from being an incident now, as `Alert.held` says it; empty for nothing."""
        for silence in tx.silences(now):
            if silence.active(now) and match_all(silence.matchers, alert.labels):
                return SILENCE + silence.id
        for window in self.windows:
            if match_all(window.matchers, alert.labels) and window.active(now):
                return MAINTENANCE + window.name
        return self._inhibited(tx, alert)

    def _inhibited(self, tx: Transaction, alert: Alert) -> str:
        for rule in self.inhibitions:
            if not match_all(rule.target, alert.labels):
                continue
            for fingerprint in tx.firing(rule.source_name(alert), rule.number, rule.is_source):
                source = tx.alert(fingerprint)
                if source is not None and rule.stands_for(source.alert, alert):
                    return INHIBIT + fingerprint
        return ""

    def over(self, tx: Transaction, reason: str, now: datetime) -> bool:
        """Whether what held an alert back does so no longer."""
        kind, _, name = reason.partition(":")
        if kind == "silence":
            return not any(s.id == name and s.active(now) for s in tx.silences(now))
        if kind == "maintenance":
            return not any(w.name == name and w.active(now) for w in self.windows)
        source = tx.alert(name)
        return source is None or source.alert.status is not AlertStatus.FIRING or not self.inhibitions


def service_of(alert: Alert, services: Sequence[Service]) -> str:
    """What it is about: a configured service, else its label `service` or `job`, else the alert's name.

    What people report without naming a service is about nothing we can name: it is empty then.
    """
    labels = alert.labels
    named = next((s.name for s in services if s.matches(labels)), None)
    return named or labels.get("service") or labels.get("job") or ("" if alert.source == REPORT else alert.name)
