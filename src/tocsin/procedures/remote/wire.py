"""What the server and a runner near the cluster say to each other, as JSON over HTTP. Values only.

The server names a step by hashes and never sends a command: the runner runs the text of its own copy of the document.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from tocsin.engine.ports import Choices, StepReport
from tocsin.incident.mitigations import Footing
from tocsin.runbook.model import Step

PROTOCOL = 1
"""Counted up when a server and a runner of different versions could misunderstand each other."""


class What(StrEnum):
    """What a runner is asked: to run a step, or to look where it would act, or what a value can be chosen from."""

    RUN = "run"
    FOOTING = "footing"
    CHOICES = "choices"


class Job(Struct, frozen=True):
    """One thing to do. `document` is the digest of the document that must hold the step; a look may be at any.

    `step` is its fingerprint, `whose` the incident: turns are shared fairly between incidents.
    """

    id: str
    what: What
    step: str
    title: str
    document: str = ""
    values: dict[str, str] = {}
    approved: bool = False
    placeholder: str = ""
    whose: str = ""


class Poll(Struct, frozen=True):
    """A runner asks what there is to do. `session` tells its processes apart; `after` is the version it has seen."""

    session: str
    protocol: int
    after: int = -1
    documents: tuple[str, ...] = ()


class Offers(Struct, frozen=True):
    """Jobs that nobody has begun, and those of this session that are to be stopped. `lease` is in seconds: a runner
    that cannot say for so long that it still works has lost the job."""

    version: int
    lease: float
    name: str = ""
    jobs: tuple[Job, ...] = ()
    stopped: tuple[str, ...] = ()


class Begin(Struct, frozen=True):
    """The jobs that this session is about to begin."""

    session: str
    jobs: tuple[str, ...]


class Begun(Struct, frozen=True):
    """The jobs that are this session's now. What is not among them must not be run."""

    jobs: tuple[str, ...]


class Refused(Struct, frozen=True):
    """Why this runner does not take a job."""

    session: str
    job: str
    reason: str


class Piece(Struct, frozen=True):
    """What a step said: redacted, without escape codes."""

    job: str
    stream: str
    text: str


class Progress(Struct, frozen=True):
    """These jobs are still in hand, and that is what they said since."""

    session: str
    jobs: tuple[str, ...]
    said: tuple[Piece, ...] = ()


class Kept(Struct, frozen=True):
    """The jobs that are to be stopped: cancelled, given up, or not known."""

    stopped: tuple[str, ...] = ()


class Ended(Struct, frozen=True):
    """What became of a job. Without any of the three it was stopped before its end, and `reason` says why."""

    session: str
    job: str
    report: StepReport | None = None
    footing: Footing | None = None
    choices: Choices | None = None
    reason: str = ""


def fingerprint(step: Step, environment: Sequence[str]) -> str:
    """The sha256 hex of what bash, or Prometheus, would be given for the step: its own text after the exports."""
    text = step.poll_command if step.poll is not None and step.poll_command else step.command
    held = [step.kind.value, text, list(environment)]
    return hashlib.sha256(json.dumps(held, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()
