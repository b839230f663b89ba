"""A small runbook with the levels, matrix and words of a real one, built by hand, and people to hold its roles."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tocsin.incident.drill import Drill
from tocsin.incident.policy import Policy
from tocsin.oncall.roster import Always, Person, Roster
from tocsin.runbook.model import (
    Cadence,
    Checklist,
    Leaf,
    Mitigation,
    Placeholder,
    PostIncident,
    Procedure,
    Purpose,
    Question,
    Runbook,
    Rung,
    Severity,
    Step,
    StepClass,
    StepKind,
    Template,
)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LEVELS = (("SEV1", 0 * MINUTE), ("SEV2", 15 * MINUTE), ("SEV3", HOUR), ("SEV4", 4 * HOUR))
COLUMNS = (15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR)
MATRIX = {
    "SEV1": ("On-call", "DevOps Lead", "Engineering Manager", "CTO"),
    "SEV2": ("On-call", "DevOps Lead", "Engineering Manager", "-"),
    "SEV3": ("On-call", "DevOps Lead", "-", "-"),
    "SEV4": ("On-call", "-", "-", "-"),
}
INITIAL = (
    ":rotating_light: INCIDENT: [Brief description]\nSeverity: SEV[1-4]\nStatus: Investigating\n"
    "Impact: [Who is affected]\nIC: @[name]\nThread: [link]"
)
UPDATE = (
    "UPDATE: [Brief description]\nStatus: [Investigating/Identified/Mitigating/Monitoring]\n"
    "Progress: [What we've done/found]\nNext: [What we're doing next]\nETA: [If known]"
)
RESOLUTION = (
    ":white_check_mark: RESOLVED: [Brief description]\nDuration: [Start] - [End]\nImpact: [Summary of impact]\n"
    "Root Cause: [Brief cause]\nFollow-up: [Tickets/reviews]"
)
PUBLIC = (
    "Title: [Service] experiencing issues\n\nInvestigating - We are investigating issues with [service].\n"
    "Identified - The issue has been identified and we are working on a fix.\n"
    "Monitoring - A fix has been deployed and we are monitoring.\nResolved - The issue has been resolved."
)
HEALTHY = (
    "Primary symptoms no longer present",
    "Monitoring shows normal metrics",
    "Health checks passing",
    "No new errors in logs",
    "User-facing functionality working",
    "Related services healthy",
)
TASKS = ("Update the ticket with the timeline", "Tell stakeholders", "Find urgent follow-ups")


def step(title: str, command: str, *, harm: StepClass = StepClass.READ, asks: str = "", window: bool = False) -> Step:
    kind = StepKind.SHELL if command else StepKind.MANUAL
    blanks = (Placeholder(asks, "pod"),) if asks else ()
    minutes = (15 * MINUTE, 30 * MINUTE) if window else None
    return Step(title, kind, command, 1 if command else 0, harm, blanks, 1, window=minutes)


def procedure(title: str, purpose: Purpose, *steps: Step) -> Procedure:
    return Procedure(title, title.casefold().replace(" ", "-"), "Steps", purpose, steps, 1)


def action(
    name: str, command: str | None, harm: StepClass | None, *, asks: str = "", see: str | None = None
) -> Mitigation:
    blanks = (Placeholder(asks, "deployment"),) if asks else ()
    return Mitigation(name, name.casefold().replace(" ", "-"), "when needed", command, harm, blanks, 1, see=see)


ASSESSMENT = procedure(
    "Initial Assessment", Purpose.ASSESSMENT,
    step("Check pods", "kubectl get pods"), step("Check events", "kubectl get events"), step("Look at Grafana", ""),
)  # fmt: skip
CRASHES = procedure(
    "Pod Crashes", Purpose.INVESTIGATION,
    step("Check crash logs", "kubectl logs <pod-name> --previous", asks="pod-name"),
    step("Check events", "kubectl get events"),
    step("Delete the pod", "kubectl delete pod <pod-name>", harm=StepClass.DESTRUCTIVE, asks="pod-name"),
)  # fmt: skip
RESOLUTION_STEPS = procedure(
    "Resolution Steps", Purpose.VERIFICATION,
    step("Check health", "curl -s https://example.com/health"),
    step("Monitor for 15-30 minutes", "watch -n 30 kubectl get pods", window=True),
)  # fmt: skip
TREE = Question(
    "Is it caused by a recent deployment?", "recent-deployment",
    Leaf("Rollback", 1, "kubectl rollout undo deployment/backend", "rollback"),
    Leaf("Escalate to senior engineer", 2, escalate=True), 1,
)  # fmt: skip

RUNBOOK = Runbook(
    title="Incident Response",
    file="runbook.md",
    digest="d" * 64,
    severities=tuple(Severity(n, f"{n} impact", wait, "", "", 1) for n, wait in LEVELS),
    escalation=tuple(
        Rung(severity, after, role, 1)
        for severity, roles in MATRIX.items()
        for after, role in zip(COLUMNS, roles, strict=True)
        if role != "-"
    ),
    update_cadence=(
        Cadence("SEV1", 30 * MINUTE, 1), Cadence("SEV2", 30 * MINUTE, 1), Cadence("SEV3", HOUR, 1),
    ),
    templates=(
        Template("Status Page Updates", ("Service", "service"), PUBLIC, 1),
        Template("Initial Alert", ("Brief description", "1-4", "Who is affected", "name", "link"), INITIAL, 1),
        Template("Update", ("Brief description", "What we've done/found", "What we're doing next"), UPDATE, 1),
        Template("Resolution", ("Brief description", "Start", "End"), RESOLUTION, 1),
    ),
    procedures=(ASSESSMENT, CRASHES, RESOLUTION_STEPS),
    mitigations=(
        action("Rollback", "kubectl rollout undo deployment/backend", StepClass.CHANGE),
        action("Restart that component", "kubectl rollout restart deployment/<name>", StepClass.CHANGE, asks="name"),
        action("Drop the cache", "redis-cli FLUSHALL", StepClass.DESTRUCTIVE),
        action("Failover", None, None, see="Disaster Recovery"),
    ),
    decision_tree=TREE,
    checklists=(
        Checklist("Verification Checklist", HEALTHY, 1, "verification"),
        Checklist("Action Items", ("Root cause fix", "Runbook updates"), 1, "follow_up"),
    ),
    post_incident=(PostIncident("Immediate", DAY, TASKS, 1), PostIncident("Post-Incident Review", 7 * DAY, (), 1)),
)  # fmt: skip

PEOPLE = {
    p.id: p
    for p in (
        Person("ana", "Ana", email="ana@example.com"),
        Person("ben", "Ben", email="ben@example.com"),
        Person("dana", "Dana"),
        Person("emil", "Emil"),
        Person("cyril", "Cyril"),
    )
}
HOLDERS = {
    "On-call": Always(("ana",)),
    "DevOps Lead": Always(("dana",)),
    "Engineering Manager": Always(("emil",)),
    "CTO": Always(("cyril",)),
}


@pytest.fixture(scope="session")
def runbook() -> Runbook:
    return RUNBOOK


@pytest.fixture(scope="session")
def people() -> dict[str, Person]:
    return dict(PEOPLE)


@pytest.fixture(scope="session")
def holders() -> dict[str, Always]:
    return dict(HOLDERS)


@pytest.fixture(scope="session")
def policy() -> Policy:
    return Policy(RUNBOOK, Roster(PEOPLE, HOLDERS), link="https://tocsin.example.com/incidents/{number}")


@pytest.fixture
def drill(policy: Policy) -> Drill:
    """A drill whose incident is not opened yet, at 03:00 UTC."""
    return Drill(policy)
