"""The transition table: which event may happen in which status, and the status after it. What is not listed is refused.

open -> acknowledged -> mitigating -> monitoring -> resolved -> closed
          ^                 ^ verification failed |      | reopened
          +-----------------+---------------------+------+
"""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.incident import events as e
from tocsin.incident.errors import TransitionError
from tocsin.incident.state import Status

OPEN, ACKNOWLEDGED, MITIGATING, MONITORING, RESOLVED, CLOSED = Status
_ALL = tuple(Status)
_LIVE = (OPEN, ACKNOWLEDGED, MITIGATING, MONITORING)
_OWNED = (ACKNOWLEDGED, MITIGATING, MONITORING)
_UNCLOSED = (*_LIVE, RESOLVED)


def _stay(*statuses: Status) -> dict[Status, Status]:
    return {s: s for s in statuses}


TRANSITIONS: Mapping[type[e.Event], Mapping[Status, Status]] = {
    # alerts keep arriving whatever people do; after the end they are only recorded
    e.AlertFired: {**_stay(*_ALL)},
    e.Reported: _stay(*_ALL),
    e.AlertResolved: {**_stay(*_ALL)},
    # a second acknowledge is recorded, never an error (two people in the same second)
    e.Acknowledged: {OPEN: ACKNOWLEDGED, **_stay(*_OWNED)},
    e.AcknowledgeMissed: _stay(OPEN),
    e.SeverityChanged: _stay(*_UNCLOSED),
    e.RoleAssigned: _stay(*_UNCLOSED),
    e.Noted: _stay(*_ALL),
    e.FactRecorded: _stay(*_ALL),
    e.Paged: _stay(*_LIVE),
    e.ContactTried: _stay(OPEN),
    e.RungPassed: _stay(*_LIVE),
    e.Informed: _stay(*_OWNED),
    # the end of work that was under way is a fact in any status
    e.MessageDelivered: _stay(*_ALL),
    e.MessageFailed: _stay(*_ALL),
    e.RunFinished: _stay(*_ALL),
    e.StepFinished: _stay(*_ALL),
    e.MitigationFinished: _stay(*_ALL),
    e.MitigationOutcomeUnknown: _stay(*_ALL),
    e.MitigationOutputKept: _stay(*_ALL),
    e.MitigationObserved: _stay(*_ALL),
    e.Posted: _stay(*_UNCLOSED),
    e.UpdateReminded: _stay(*_LIVE),
    e.StatusPublished: _stay(*_UNCLOSED),
    e.RunStarted: _stay(*_UNCLOSED),
    e.Answered: _stay(*_LIVE),
    # offering is free; approving means somebody works on it
    e.MitigationProposed: _stay(*_LIVE),
    e.MitigationApproved: {OPEN: MITIGATING, ACKNOWLEDGED: MITIGATING, MITIGATING: MITIGATING, MONITORING: MITIGATING},
    e.GlassBroken: {OPEN: MITIGATING, ACKNOWLEDGED: MITIGATING, MITIGATING: MITIGATING, MONITORING: MITIGATING},
    e.MitigationRejected: _stay(*_ALL),
    e.ApprovalExpired: _stay(*_ALL),
    e.MitigationStarted: _stay(MITIGATING),
    e.Mitigated: {ACKNOWLEDGED: MITIGATING, MITIGATING: MITIGATING, MONITORING: MONITORING},
    e.VerificationStarted: {OPEN: OPEN, ACKNOWLEDGED: MONITORING, MITIGATING: MONITORING, MONITORING: MONITORING},
    e.VerificationFailed: {OPEN: OPEN, MONITORING: MITIGATING},
    e.VerificationPassed: _stay(OPEN, MONITORING),
    e.ResolveRequested: _stay(MONITORING),
    e.ChecklistTicked: _stay(*_ALL),
    # nobody may have owned what came and went by itself; the rules say whether it ends by itself then
    e.Resolved: {OPEN: RESOLVED, ACKNOWLEDGED: RESOLVED, MITIGATING: RESOLVED, MONITORING: RESOLVED},
    e.ResolveProposed: _stay(*_LIVE),
    # what was merged is over here, and goes on there
    e.Merged: {OPEN: CLOSED, ACKNOWLEDGED: CLOSED, MITIGATING: CLOSED, MONITORING: CLOSED},
    e.Absorbed: _stay(*_LIVE),
    e.SplitOff: _stay(*_LIVE),
    e.SplitFrom: _stay(OPEN),
    e.Joined: _stay(*_LIVE),
    e.RelationDenied: _stay(*_UNCLOSED),
    e.Reopened: {RESOLVED: OPEN, CLOSED: OPEN},
    e.ActionItemAdded: _stay(*_ALL),
    e.ActionItemDone: _stay(*_ALL),
    # an action item may fall due while the incident still lasts
    e.TaskReminded: _stay(*_ALL),
    e.Closed: {RESOLVED: CLOSED},
}


def allowed(status: Status, event: type[e.Event]) -> bool:
    return status in TRANSITIONS.get(event, {})


def after(status: Status, event: e.Event) -> Status:
    """The status once `event` has happened. Raises TransitionError when the table does not list it."""
    try:
        return TRANSITIONS[type(event)][status]
    except KeyError:
        raise TransitionError(f"the incident is {status}: {_words(event)} is not possible now") from None


def _words(event: e.Event) -> str:
    name = type(event).__name__
    return "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()
