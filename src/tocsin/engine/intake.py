"""Alerts in: each told apart from its copies, put to its incident, or the first of a new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from tocsin.engine.joining import REPORT, joined, reported_again
from tocsin.engine.ledger import Ledger
from tocsin.engine.records import AlertRecord
from tocsin.engine.storage import Transaction
from tocsin.incident import commands
from tocsin.incident.alert import Alert, AlertStatus, group_signal
from tocsin.incident.policy import TOCSIN, Context
from tocsin.incident.state import Incident


class Service(Struct, frozen=True):
    """A configured service: an alert whose labels hold all of `match` is about it."""

    name: str
    match: Mapping[str, str]

    def matches(self, labels: Mapping[str, str]) -> bool:
        return bool(self.match) and all(labels.get(k) == v for k, v in self.match.items())


class Receipt(Struct, frozen=True):
    """What came of one alert: `opened`, `attached`, `resolved`, `repeated`, `stale` or `recorded` (no incident)."""

    fingerprint: str
    outcome: str
    incident: int | None = None


FLAPS, FLAPPING_WITHIN, QUIET = 5, timedelta(hours=1), timedelta(minutes=15)
"""An alert that begins so often in this time flaps, until it has not begun anew for a quiet while."""


def flaps(alert: Alert, now: datetime) -> bool:
    """Whether the alert comes and goes: its pauses are no end, and begin no verification."""
    return len(alert.began) >= FLAPS and now - alert.began[-1] < QUIET


def service_of(alert: Alert, services: Sequence[Service]) -> str:
    """What it is about: a configured service, else its label `service` or `job`, else the alert's name.

    What people report without naming a service is about nothing we can name: it is empty then.
    """
    labels = alert.labels
    named = next((s.name for s in services if s.matches(labels)), None)
    return named or labels.get("service") or labels.get("job") or ("" if alert.source == REPORT else alert.name)


def foresee(tx: Transaction, alerts: Sequence[Alert], services: Sequence[Service]) -> None:
    """Reads ahead, in four statements, what taking in these alerts will ask for."""
    tx.foresee({a.fingerprint for a in alerts})
    moving = [a for a in alerts if _told_apart(tx.alert(a.fingerprint), a) == "new"]
    if not moving:
        return
    tx.foresee({told for a in moving if (told := group_signal(a))})
    tx.foresee_services({service_of(a, services) for a in moving})
    known = (tx.alert(a.fingerprint) for a in moving)
    tx.foresee_incidents({k.incident_id for k in known if k is not None and k.incident_id})


def receive(ledger: Ledger, alert: Alert, *, services: Sequence[Service], new_id: str) -> Receipt:
    """Takes in one alert. A copy, resent or sent by a second peer, changes nothing but when it was last seen."""
    known = ledger.tx.alert(alert.fingerprint)
    outcome = _told_apart(known, alert)
    if outcome == "repeated" and _began_again_after_the_end(ledger, known, alert):
        outcome = "new"
    if outcome in ("repeated", "stale"):
        if known is not None and outcome == "repeated":
            kept = replace(alert, starts_at=known.alert.starts_at, began=known.alert.began)
            ledger.tx.put_alert(replace(known, alert=kept, last_seen_at=ledger.now), new=False)
            if alert.source == REPORT and known.incident_id is not None:
                reported_again(ledger, ledger.get(known.incident_id), alert)
        number = _number(ledger, known)
        return Receipt(alert.fingerprint, outcome, number)
    if alert.status is AlertStatus.RESOLVED:
        return _stopped(ledger, known, alert)
    return _fired(ledger, known, alert, services=services, new_id=new_id)


def _told_apart(known: AlertRecord | None, alert: Alert) -> str:
    """Firing and resolved can arrive out of order: what counts is when the alert began, not when the body came."""
    if known is None:
        return "new"
    before = known.alert
    if alert.starts_at < before.starts_at:
        return "stale"
    if alert.status is before.status:
        again = alert.status is AlertStatus.FIRING or alert.starts_at == before.starts_at
        return "repeated" if again else "new"
    if alert.status is AlertStatus.FIRING and not _after_the_end(alert, before):
        return "stale"
    return "new"


def _after_the_end(alert: Alert, before: Alert) -> bool:
    """Whether a firing alert began after the resolved one ended; a sender that gives no end gives another start."""
    return alert.starts_at > before.starts_at if before.ends_at is None else alert.starts_at >= before.ends_at


def _began_again_after_the_end(ledger: Ledger, known: AlertRecord | None, alert: Alert) -> bool:
    """A person resolved the incident while its alert still fired, and now the alert began anew."""
    if known is None or known.incident_id is None or alert.starts_at <= known.alert.starts_at:
        return False
    head = ledger.tx.head(known.incident_id)
    return head is not None and head.over


def _fired(
    ledger: Ledger, known: AlertRecord | None, alert: Alert, *, services: Sequence[Service], new_id: str
) -> Receipt:
    flapped = known is not None and flaps(known.alert, ledger.now)
    alert = replace(alert, began=_beginnings(known, ledger.now))
    service = service_of(alert, services)
    policy = ledger.policies.current
    suggested = policy.severity_for(alert.labels)
    incident = (ledger.open_incident_of(service) or joined(ledger, alert)) if suggested else None
    outcome = "attached" if incident else "opened"
    if suggested and incident is None:
        incident = _open(ledger, alert, service=service, suggested=suggested, new_id=new_id)
    _keep(ledger, known, alert, incident)
    if incident is None:
        return Receipt(alert.fingerprint, "recorded")
    ctx = ledger.context(incident, TOCSIN)
    if alert.source == REPORT:
        incident = reported_again(ledger, incident, alert)
    else:
        incident = _told(ledger, incident, alert)
    if flaps(alert, ledger.now) and not flapped:
        incident = ledger.append(incident, commands.note(incident, ctx, text=_flapping(alert)), actor=TOCSIN.name)
    if outcome == "opened":
        ledger.append(incident, commands.first_moves(incident, ctx), actor=TOCSIN.name)
    return Receipt(alert.fingerprint, outcome, incident.number)


def _open(ledger: Ledger, alert: Alert, *, service: str, suggested: tuple[str, str], new_id: str) -> Incident:
    severity, why = suggested
    said = commands.opened(
        Context(ledger.now, TOCSIN, ledger.policies.current),
        title=alert.summary,
        severity=severity,
        severity_reason=f"suggested: {why}",
        service=service,
        source=alert.source,
        summary=alert.annotations.get("impact", ""),
    )
    return ledger.open(new_id, said, actor=alert.source)


def _stopped(ledger: Ledger, known: AlertRecord | None, alert: Alert) -> Receipt:
    """A resolved alert resolves no incident; one never seen firing makes no ghost of one."""
    was_firing = known is not None and known.alert.status is AlertStatus.FIRING
    incident = ledger.get(known.incident_id) if known and known.incident_id else None
    alert = replace(alert, began=known.alert.began) if known else alert
    _keep(ledger, known, alert, incident)
    if incident is None or not was_firing:
        return Receipt(alert.fingerprint, "recorded")
    _told(ledger, incident, alert)
    return Receipt(alert.fingerprint, "resolved", incident.number)


def _told(ledger: Ledger, incident: Incident, alert: Alert) -> Incident:
    """The source said the first event, that the alert changed; what follows from it is Tocsin's doing.

    What flaps is not over because it stopped: then no verification follows.
    """
    said, *follows = commands.alert_changed(incident, ledger.context(incident, TOCSIN), alert)
    incident = ledger.append(incident, (said,), actor=alert.source)
    only_paused = alert.status is AlertStatus.RESOLVED and flaps(alert, ledger.now)
    return incident if only_paused else ledger.append(incident, follows, actor=TOCSIN.name)


def _beginnings(known: AlertRecord | None, now: datetime) -> tuple[datetime, ...]:
    """The latest beginnings up to now that count towards flapping; none from before a quiet while does."""
    before = known.alert.began if known else ()
    if before and now - before[-1] >= QUIET:
        return (now,)
    return (*(began for began in before if now - began < FLAPPING_WITHIN), now)[-FLAPS:]


def _flapping(alert: Alert) -> str:
    quiet = QUIET // timedelta(minutes=1)
    return (
        f"{alert.name} is flapping: it began {FLAPS} times within an hour. "
        f"Until it has not begun anew for {quiet} min, its stopping begins no verification."
    )


def _keep(ledger: Ledger, known: AlertRecord | None, alert: Alert, incident: Incident | None) -> None:
    first = known.first_seen_at if known else ledger.now
    record = AlertRecord(alert, incident.id if incident else None, first, ledger.now)
    ledger.tx.put_alert(record, new=known is None)


def _number(ledger: Ledger, known: AlertRecord | None) -> int | None:
    head = ledger.tx.head(known.incident_id) if known and known.incident_id else None
    return head.number if head else None
