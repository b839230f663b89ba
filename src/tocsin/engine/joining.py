"""Which incident a signal belongs to although its service does not say so: one group told twice, one trouble reported.

Alertmanager tells PagerDuty's and Opsgenie's senders of a whole group, by the sha256 of its groupKey, and a webhook of
each alert in it. Whichever comes first opens the incident; the other joins it and pages nobody again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

from tocsin.engine.ledger import Ledger
from tocsin.engine.triage import REPORT as REPORT
from tocsin.incident import events as e
from tocsin.incident.alert import Alert, AlertStatus, group_signal, named_by
from tocsin.incident.likeness import alike
from tocsin.incident.state import Incident

WITHIN = timedelta(minutes=30)
"""A report so long after the last one of a like text is of another trouble."""
NEWEST = 50
"""Open incidents that are looked through; what belongs together comes within seconds."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


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
        return incident.drill == alert.drill and recent and alike(incident.title, alert.summary)

    return _newest(ledger, same)


def _newest(ledger: Ledger, fits: Callable[[Incident], bool]) -> Incident | None:
    found = next((i for i in ledger.tx.incidents(over=False, limit=NEWEST) if fits(i)), None)
    incident = ledger.get(found.id) if found else None
    return incident if incident is not None and not incident.status.over else None
