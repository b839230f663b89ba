"""When the end of all signals is acted on: proposed to resolve, or resolved, as the rules say. Derived, like deadlines.

It never comes before what the runbook asks of a person: an open item of the verification checklist leaves it at a
proposal, and so does a person's report, which no alert can take back. A failed verification leaves it to people.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from tocsin.incident.checklists import open_verification
from tocsin.incident.policy import AfterQuiet, Policy
from tocsin.incident.state import Incident, Verification
from tocsin.incident.steps import unconvincing


def rule(incident: Incident, policy: Policy) -> tuple[AfterQuiet, timedelta]:
    """What is to be done after how long: as its route says, else as the settings do."""
    own = AfterQuiet(incident.after_quiet) if incident.after_quiet else policy.rules.after_quiet
    return own, policy.rules.quiet if incident.quiet is None else incident.quiet


def by_itself(incident: Incident, policy: Policy) -> bool:
    """Whether it may be resolved without a person's word."""
    wanted, _ = rule(incident, policy)
    asked = incident.reporters or open_verification(incident, policy.runbook)
    return wanted is AfterQuiet.RESOLVE and not asked


def watch(incident: Incident) -> Verification | None:
    """The verification of this quiet; one that failed before it began says nothing of it."""
    v, since = incident.verification, incident.quiet_since
    if v is None or since is None or (v.status == "failed" and v.started_at < since):
        return None
    return v


def due_at(incident: Incident, policy: Policy) -> datetime | None:
    """When it is resolved or proposed; None while an alert fires, and when there is nothing (more) to do."""
    wanted, after = rule(incident, policy)
    since, v = incident.quiet_since, watch(incident)
    if since is None or wanted is AfterQuiet.NOTHING or incident.resolve_requested_by is not None:
        return None
    if v is not None and v.status == "failed":
        return None
    watching = v is not None and v.status == "watching"
    if by_itself(incident, policy):
        return max(since + after, v.latest_at) if v is not None and watching else since + after
    if incident.proposed_at is not None:
        return None
    if v is None or not watching:
        return since + after
    return max(since + after, v.latest_at if unconvincing(incident) else v.earliest_at)
