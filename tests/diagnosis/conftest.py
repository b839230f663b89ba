"""The decision tree of a runbook like most: rollback, scale, restart, a document, or somebody senior."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tocsin.incident.drill import Drill
from tocsin.incident.policy import Policy
from tocsin.oncall.roster import Always, Person, Roster
from tocsin.runbook.model import Leaf, Mitigation, Placeholder, Question, Runbook, Severity, StepClass

UNDO, SCALE, RESTART = (
    "kubectl rollout undo x",
    "kubectl scale x --replicas=5",
    "kubectl rollout restart deployment/<name>",
)
DATA = Question(
    "Is it a data issue?", "data",
    Leaf("See Database Recovery", 8, see="Database Recovery"), Leaf("Escalate to senior engineer", 9, escalate=True), 7,
)  # fmt: skip
COMPONENT = Question("Is a single component failing?", "component", Leaf("Restart", 6, RESTART, "restart"), DATA, 5)
RESOURCE = Question("Is it a resource issue?", "resource", Leaf("Scale", 4, SCALE, "scale-up"), COMPONENT, 3)
DEPLOY = Question("Is it the deployment?", "deployment", Leaf("Rollback", 2, UNDO, "rollback"), RESOURCE, 1)
RUNBOOK = Runbook(
    title="Incident Response",
    file="runbook.md",
    digest="d" * 64,
    severities=(Severity("SEV1", "", timedelta(0), "Immediate", "", 1),),
    mitigations=(
        Mitigation("Rollback", "rollback", "", UNDO, StepClass.CHANGE, (), 1),
        Mitigation("Scale up", "scale-up", "", SCALE, StepClass.CHANGE, (), 1),
        Mitigation("Restart", "restart", "", RESTART, StepClass.CHANGE, (Placeholder("name", "deployment"),), 1),
    ),
    decision_tree=DEPLOY,
)


@pytest.fixture(scope="session")
def runbook() -> Runbook:
    return RUNBOOK


@pytest.fixture
def drill() -> Drill:
    """A drill whose incident is open."""
    roster = Roster({"ana": Person("ana", "Ana")}, {"*": Always(("ana",))})
    return Drill(Policy(RUNBOOK, roster)).open()
