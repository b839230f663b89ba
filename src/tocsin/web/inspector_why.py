"""Why an alert came to what it came to: which rule named its service and its severity, in words. Asks no database."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from tocsin.engine.ingest_log import SPOOLED
from tocsin.engine.intake import FLAPPING
from tocsin.engine.triage import Triage, service_of
from tocsin.incident.alert import Alert, AlertStatus
from tocsin.incident.matchers import Matchers
from tocsin.incident.policy import Policy
from tocsin.web.inspector import Seen

_OUTCOMES: Mapping[str, str] = {
    "opened": "the first of its service: an incident was opened",
    "attached": "put to the incident that its service has open",
    "repeated": "known already: seen again, nothing changes",
    "stale": "older than what is known of it: nothing changes",
    "resolved": "it stopped: said in its incident, which people resolve",
    SPOOLED: "kept safe, and taken in once the database takes it",
}
_HELD: Mapping[str, str] = {
    "silence": "born in a silence",
    "maintenance": "born in the maintenance window {name}",
    "inhibit": "born behind another alert that fires, {name}, as [[inhibit]] says",
}
FLAPS = "it is flapping: until it is quiet, its stopping begins no verification"
NO_INCIDENT, NOT_KNOWN = "its severity is no incident: kept and shown", "it was not known to fire: kept and shown"


class Reasons(Struct, frozen=True):
    """`severity` is empty for what is no incident."""

    outcome: str
    service: str
    service_by: str
    severity: str
    severity_by: str


def explain(seen: Seen, triage: Triage, policy: Policy) -> Reasons:
    """The rules in force now, put to the alert as it came."""
    severity, severity_by = severity_rule(seen.alert, triage, policy)
    service, service_by = service_rule(seen.alert, triage)
    return Reasons(_outcome(seen), service, service_by, severity, severity_by)


def service_rule(alert: Alert, triage: Triage) -> tuple[str, str]:
    """What the alert is about, and the rule that says so."""
    route = triage.route_of(alert)
    if route is not None and route.service:
        return route.service, f"[[routes]] entry {route.number} matches {_written(route.matchers)}"
    services = triage.services
    found = next((service for service in services if service.matches(alert.labels)), None)
    if found is not None:
        labels = ", ".join(f'{name} = "{value}"' for name, value in found.match.items())
        return found.name, f"[services.{found.name}] matches {labels}"
    about = service_of(alert, services)
    for label in ("service", "job"):
        if about and alert.labels.get(label) == about:
            return about, f"its label {label}; no [services] entry matches"
    return about, "the alert's name; no [services] entry matches, no label service or job" if about else "none named"


def severity_rule(alert: Alert, triage: Triage, policy: Policy) -> tuple[str, str]:
    """The level an incident of it begins with, and the rule that says so; empty for what is no incident."""
    route = triage.route_of(alert)
    suggested = triage.severity_of(alert, policy)
    if route is not None and not route.incident:
        return "", f"[[routes]] entry {route.number} matches {_written(route.matchers)}: no incident"
    return (
        suggested if suggested is not None else ("", f"label severity={alert.labels.get('severity', '')}: no incident")
    )


def _written(matchers: Matchers) -> str:
    return ", ".join(map(str, matchers))


def held_by(why: str) -> str:
    """What holds an alert back, from `Alert.held`, in words."""
    kind, _, name = why.partition(":")
    return _HELD.get(kind, why).format(name=name)


def _outcome(seen: Seen) -> str:
    if seen.outcome == "held":
        return f"{held_by(seen.why)}: an incident once that is over, if it still fires then"
    if seen.why:
        return f"{_OUTCOMES.get(seen.outcome, seen.outcome)}; {FLAPS if seen.why == FLAPPING else held_by(seen.why)}"
    if seen.outcome == "recorded":
        return NOT_KNOWN if seen.alert.status is AlertStatus.RESOLVED else NO_INCIDENT
    return _OUTCOMES.get(seen.outcome, seen.outcome)
