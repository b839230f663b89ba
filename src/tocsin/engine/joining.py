"""Which incident a signal belongs to although its service does not say so: one group told twice, one trouble reported.

Alertmanager tells PagerDuty's and Opsgenie's senders of a whole group, by the sha256 of its groupKey, and a webhook of
each alert in it. Whichever comes first opens the incident; the other joins it and pages nobody again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec

from tocsin.engine.ledger import Ledger
from tocsin.engine.records import AlertRecord
from tocsin.engine.triage import REPORT as REPORT
from tocsin.engine.triage import Join
from tocsin.incident import events as e
from tocsin.incident.alert import Alert, AlertStatus, group_signal, named_by
from tocsin.incident.likeness import alike
from tocsin.incident.matchers import match_all
from tocsin.incident.policy import TOCSIN
from tocsin.incident.state import Incident
from tocsin.incident.wording import duration

WITHIN = timedelta(minutes=30)
"""A report so long after the last one of a like text is of another trouble."""
NEWEST = 50
"""Open incidents that are looked through; what belongs together comes within seconds."""
TAKEN_OVER = "taken_over"
"""The setting that says which incidents have taken services over; read when one is about to open, and so short."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


def of_its_own(ledger: Ledger, known: AlertRecord | None) -> Incident | None:
    """The open incident that a known alert belongs to, wherever it was merged or split to."""
    head = ledger.tx.head(known.incident_id) if known and known.incident_id else None
    return ledger.get(known.incident_id) if known and known.incident_id and head and not head.over else None


def of_service(ledger: Ledger, service: str, *, drill: bool) -> Incident | None:
    """The service's open incident: not a part that was split from it while the whole still lasts, else the one that has
    taken its incident over."""
    found = ledger.open_incident_of(service, drill=drill)
    while found is not None and found.split_from is not None:
        whole = ledger.tx.incident(found.split_from.id)
        if whole is None or whole.status.over or whole.service != service:
            return found
        found = whole
    successor = None if found else _successor(ledger, service)
    return found or (successor if successor is not None and successor.drill == drill else None)


def by_rule(ledger: Ledger, alert: Alert, service: str, joins: Sequence[Join]) -> Incident | None:
    """The newest open incident that a rule of the settings joins the alert to, which says so and has its service from
    now on; None when no rule does."""
    for rule in joins:
        if not match_all(rule.matchers, alert.labels):
            continue

        def fits(incident: Incident, rule: Join = rule) -> bool:
            near = ledger.now - incident.opened_at <= rule.within
            return near and incident.drill == alert.drill and rule.same(alert, incident)

        found = _newest(ledger, fits)
        if found is not None:
            said = e.Joined(service, alert.name, _why(rule, alert, ledger.now - found.opened_at))
            found = ledger.append(found, (said,), actor=TOCSIN.name)
            remember(ledger, found)
            return found
    return None


def _why(rule: Join, alert: Alert, gap: timedelta) -> str:
    same = ", ".join(f"same {name} {alert.labels[name]}" for name in rule.equal)
    return f"{same}, began {duration(gap)} apart ([[join]] entry {rule.number})"


def remember(ledger: Ledger, incident: Incident) -> None:
    """New alerts of the services that the incident has taken over are its from now on, as long as it lasts."""
    known = taken_over(ledger)
    alive = {service: id_ for service, id_ in known.items() if (h := ledger.tx.head(id_)) is not None and not h.over}
    now = alive | dict.fromkeys(incident.services, incident.id)
    if now != known:
        ledger.tx.put_setting(TAKEN_OVER, msgspec.json.encode(now).decode())


def taken_over(ledger: Ledger) -> dict[str, str]:
    """By service the id of the incident into which its own was merged, as far as is remembered."""
    kept = ledger.tx.setting(TAKEN_OVER)
    return msgspec.json.decode(kept, type=dict[str, str]) if kept else {}


def _successor(ledger: Ledger, service: str) -> Incident | None:
    id_ = taken_over(ledger).get(service) if service else None
    found = ledger.tx.incident(id_) if id_ else None
    return found if found is not None and service in found.services and not found.status.over else None


def joined(ledger: Ledger, alert: Alert) -> Incident | None:
    """The open incident of what was told of the same group, or reported in like words; None when there is none.

    What is real never joins a drill, nor a drill what is real.
    """
    found = _joined(ledger, alert)
    return found if found is not None and found.drill == alert.drill else None


def _joined(ledger: Ledger, alert: Alert) -> Incident | None:
    if alert.source == REPORT:
        return _reported_alike(ledger, alert)
    told = group_signal(alert)
    if told:
        return _of_the_whole_group(ledger, told)
    if _DIGEST.fullmatch(alert.group) and alert.fingerprint == named_by(alert.group):
        return _of_a_member(ledger, alert)
    return None


def reported_again(ledger: Ledger, incident: Incident, alert: Alert) -> Incident:
    """The incident once one more report of it was counted; a person who says the same twice counts once."""
    reporter = alert.annotations.get("reporter", "")
    if incident.status.over or (reporter and reporter in incident.reporters):
        return incident
    return ledger.append(incident, (e.Reported(alert.summary, reporter),), actor=alert.source)


def _of_the_whole_group(ledger: Ledger, told: str) -> Incident | None:
    """Of the group's own signal: unless that one is about a service, whose alerts alone it may then hold."""
    known = ledger.tx.alert(told)
    if known is None or known.incident_id is None or known.alert.status is not AlertStatus.FIRING:
        return None
    incident = ledger.get(known.incident_id)
    named = incident.service not in ("", known.alert.name)
    return None if named or incident.status.over else incident


def _of_a_member(ledger: Ledger, alert: Alert) -> Incident | None:
    return _newest(ledger, lambda incident: incident.drill == alert.drill and alert.fingerprint in incident.groups)


def _reported_alike(ledger: Ledger, alert: Alert) -> Incident | None:
    """Of people's reports, when this one names no service: by its words."""
    if alert.labels.get("service"):
        return None

    def same(incident: Incident) -> bool:
        recent = incident.reported_at is not None and ledger.now - incident.reported_at <= WITHIN
        titles = (incident.title, *(other.title for other in incident.absorbed))
        return incident.drill == alert.drill and recent and any(alike(title, alert.summary) for title in titles)

    return _newest(ledger, same)


def _newest(ledger: Ledger, fits: Callable[[Incident], bool]) -> Incident | None:
    found = next((i for i in ledger.tx.incidents(over=False, limit=NEWEST) if fits(i)), None)
    incident = ledger.get(found.id) if found else None
    return incident if incident is not None and not incident.status.over else None
