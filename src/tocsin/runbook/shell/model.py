"""What splitting a fence gives: titled steps, the environment it establishes, and what is doubtful about it."""

from __future__ import annotations

from msgspec import Struct

from tocsin.runbook.model import Finding, Placeholder, Step, StepClass


class Classification(Struct, frozen=True, gc=False):
    """How much harm a command can do, and the sentence that says why."""

    step_class: StepClass
    reason: str


class Fence(Struct, frozen=True, gc=False):
    """A shell fence, split. `environment` holds its top-level `export` lines.

    Line numbers in steps and findings are the document's.
    """

    steps: tuple[Step, ...]
    environment: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


class Command(Struct, frozen=True, gc=False):
    """A command outside a fence (a table cell, a tree leaf), classified."""

    command: str
    classification: Classification
    placeholders: tuple[Placeholder, ...] = ()
    findings: tuple[Finding, ...] = ()
