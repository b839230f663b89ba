"""How much harm a command can do. Fails closed: whatever is not known to only read counts as a change."""

from __future__ import annotations

from tocsin.runbook.model import StepClass
from tocsin.runbook.shell.model import Classification


def classify(command: str) -> Classification:
    """The class of a piece of shell and the sentence that says why; the worst of its parts counts. Never raises."""
    return Classification(StepClass.CHANGE, "it is not known to only read")
