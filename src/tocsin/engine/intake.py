"""Alerts in: each told apart from its copies, put to its incident, or the first of a new one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from tocsin.engine.core import new_id
from tocsin.engine.joining import REPORT, by_rule, joined, of_its_own, of_service, reported_again
from tocsin.engine.ledger import Ledger
from tocsin.engine.records import AlertRecord
from tocsin.engine.storage import Transaction
from tocsin.engine.triage import Service as Service
from tocsin.engine.triage import Triage
from tocsin.engine.triage import service_of as service_of
from tocsin.incident import commands
from tocsin.incident.alert import Alert, AlertStatus, group_signal
from tocsin.incident.policy import TOCSIN, Context
from tocsin.incident.state import Incident


class Receipt(Struct, frozen=True):
    """What came of one alert: `opened`, `attached`, `resolved`, `repeated`, `stale`, `held` (back, see `Alert.held`) or
    `recorded` (no incident). `why` is what holds it back, or `flapping`."""

    fingerprint: str
    outcome: str
    incident: int | None = None
    why: str | UnsetType = UNSET


FLAPPING = "flapping"
FLAPS, FLAPPING_WITHIN, QUIET = 5, timedelta(hours=1), timedelta(minutes=15)
"""An alert that begins so often in this time flaps, until it has not begun anew for a quiet while."""


def flaps(alert: Alert, now: datetime) -> bool:
    """Whether the alert comes and goes: its pauses are no end, and begin no verification."""
    return len(alert.began) >= FLAPS and now - alert.began[-1] < QUIET


def foresee(tx: Transaction, alerts: Sequence[Alert], triage: Triage) -> None:
    """Reads ahead, in three statements, what taking in these alerts will ask for."""
    tx.foresee({a.fingerprint for a in alerts} | {told for a in alerts if (told := group_signal(a))})
    moving = [a for a in alerts if _told_apart(tx.alert(a.fingerprint), a) == "new"]
    if not moving:
        return
    tx.foresee_services({triage.service_of(a) for a in moving})
    known = (tx.alert(a.fingerprint) for a in moving)
    tx.foresee_incidents({k.incident_id for k in known if k is not None and k.incident_id})


def receive(ledger: Ledger, alert: Alert, *, triage: Triage) -> Receipt:
    """Takes in one alert. A copy, resent or sent by a second peer, changes nothing but when it was last seen."""
    known = ledger.tx.alert(alert.fingerprint)
    outcome = _told_apart(known, alert)
    if outcome == "repeated" and _began_again_after_the_end(ledger, known, alert):
        outcome = "new"
    if outcome in ("repeated", "stale"):
        if known is not None and outcome == "repeated":
            kept = replace(alert, starts_at=known.alert.starts_at, began=known.alert.began, held=known.alert.held)
            ledger.tx.put_alert(replace(known, alert=kept, last_seen_at=ledger.now), new=False)
            if alert.source == REPORT and known.incident_id is not None:
                reported_again(ledger, ledger.get(known.incident_id), alert)
        number = _number(ledger, known)
        held = known.alert.held if known is not None and outcome == "repeated" else ""
        return Receipt(alert.fingerprint, outcome, number, held or UNSET)
    if alert.status is AlertStatus.RESOLVED:
        return _stopped(ledger, known, alert)
    return _fired(ledger, known, alert, triage=triage)


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


def _fired(ledger: Ledger, known: AlertRecord | None, alert: Alert, *, triage: Triage) -> Receipt:
    flapped = known is not None and flaps(known.alert, ledger.now)
    alert = replace(alert, began=_beginnings(known, ledger.now))
    service = triage.service_of(alert)
    suggested = triage.severity_of(alert, ledger.policies.named(triage.runbook_of(alert)))
    if suggested and not _of_an_open_incident(ledger, known):
        held = triage.held(ledger.tx, alert, ledger.now)
        if held:
            _keep(ledger, known, replace(alert, held=held), None)
            return Receipt(alert.fingerprint, "held", why=held)
    incident = None
    if suggested:
        incident = of_its_own(ledger, known) or of_service(ledger, service, drill=alert.drill) or joined(ledger, alert)
        incident = incident or by_rule(ledger, alert, service, triage.joins)
    outcome = "attached" if incident else "opened"
    if suggested and incident is None:
        incident = _open(ledger, alert, triage=triage, suggested=suggested)
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
    return Receipt(alert.fingerprint, outcome, incident.number, FLAPPING if flaps(alert, ledger.now) else UNSET)


def let_go(ledger: Ledger, record: AlertRecord, *, triage: Triage) -> Receipt:
    """Takes in an alert that was held back, as if it began now: held again, put to an incident, or the first of one."""
    known = replace(record, alert=replace(record.alert, held=""))
    if known.alert.status is not AlertStatus.FIRING or known.incident_id is not None:
        _keep(ledger, known, known.alert, ledger.get(known.incident_id) if known.incident_id else None)
        return Receipt(known.alert.fingerprint, "recorded")
    return _fired(ledger, known, known.alert, triage=triage)


def _of_an_open_incident(ledger: Ledger, known: AlertRecord | None) -> bool:
    """An alert that an open incident has already goes on being its, whatever would hold back a new one."""
    head = ledger.tx.head(known.incident_id) if known and known.incident_id else None
    return head is not None and not head.over


def _open(ledger: Ledger, alert: Alert, *, triage: Triage, suggested: tuple[str, str]) -> Incident:
    severity, why = suggested
    route = triage.route_of(alert)
    said = commands.opened(
        Context(ledger.now, TOCSIN, ledger.policies.named(triage.runbook_of(alert))),
        title=alert.summary,
        severity=severity,
        severity_reason=f"suggested: {why}",
        service=triage.service_of(alert),
        source=alert.source,
        first_role=route.role if route else "",
        summary=alert.annotations.get("impact", ""),
        drill=alert.drill,
        labels=alert.labels,
        after_quiet=route.after_quiet if route else "",
        quiet=route.quiet if route else None,
    )
    return ledger.open(new_id(), said, actor=alert.source)


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
