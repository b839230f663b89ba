"""What a runbook says, as values: the result of reading, never of guessing.

Every entry carries `line`, the 1-based line of the document it was read from. A part the document does not have is an
empty tuple or None. Durations are `timedelta`; an upper bound is taken from a range. This module refuses to read:
`tocsin.runbook.reader` does that.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct, field


class StepKind(StrEnum):
    SHELL = "shell"
    PROMQL = "promql"
    MANUAL = "manual"


class StepClass(StrEnum):
    """How much harm a command can do; whatever is not known to only read counts as `change` or worse."""

    READ = "read"
    CHANGE = "change"
    DESTRUCTIVE = "destructive"


class Purpose(StrEnum):
    """What a procedure is for; it decides whether its read steps may run by themselves."""

    ASSESSMENT = "assessment"
    INVESTIGATION = "investigation"
    VERIFICATION = "verification"
    REFERENCE = "reference"
    OTHER = "other"


class Level(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Severity(Struct, frozen=True, gc=False):
    """One level. `response` is the time to acknowledge; zero is "Immediate", None when the text gives no measure."""

    name: str
    description: str
    response: timedelta | None
    response_text: str
    examples: str
    line: int


class Indicator(Struct, frozen=True, gc=False):
    severity: str
    text: str
    line: int


class AlertSource(Struct, frozen=True, gc=False):
    name: str
    type: str
    examples: str
    line: int


class Rung(Struct, frozen=True, gc=False):
    """A named cell of the escalation matrix: `to` is paged `after` the incident opened. None is "not stated"."""

    severity: str | None
    after: timedelta | None
    to: str
    line: int


class Cadence(Struct, frozen=True, gc=False):
    """An update is owed `every` so often. `severity` None is "in every severity": the document names none."""

    severity: str | None
    every: timedelta
    line: int


class Audience(Struct, frozen=True, gc=False):
    """A channel the document names, e.g. audience `internal`, name `Slack #incidents`."""

    audience: str
    name: str
    line: int


class Template(Struct, frozen=True, gc=False):
    """A message in the team's words; `fields` are the bracketed blanks in order, without brackets, each once."""

    name: str
    fields: tuple[str, ...]
    body: str
    line: int


class Placeholder(Struct, frozen=True, gc=False):
    """A value a person must give before the step can run, e.g. `<pod-name>`.

    `type` is one of pod, deployment, namespace, node, name, number, host, text. `refused` says why no value can ever be
    given safely (it stands inside a string a second interpreter reads), else None.
    """

    name: str
    type: str
    refused: str | None = None


class Step(Struct, frozen=True, gc=False):
    """One thing to do. `command` is the document's own bytes (empty for a manual step; the query for PromQL).

    `commands` counts logical commands of a shell step. `poll` is set where the document says `watch`: repeat
    `poll_command` that often. `window` is the (least, most) time the title asks to keep looking ("15-30 minutes").
    """

    title: str
    kind: StepKind
    command: str
    commands: int
    step_class: StepClass = field(name="class")
    placeholders: tuple[Placeholder, ...]
    line: int
    class_reason: str = ""
    poll: timedelta | None = None
    poll_command: str = ""
    window: tuple[timedelta, timedelta] | None = None
    needs_environment: bool = False


class Procedure(Struct, frozen=True, gc=False):
    title: str
    slug: str
    section: str
    purpose: Purpose
    steps: tuple[Step, ...]
    line: int


class Mitigation(Struct, frozen=True, gc=False):
    """An action that changes production. `command` is None when the document points elsewhere (`see`)."""

    action: str
    slug: str
    when: str
    command: str | None
    step_class: StepClass | None = field(name="class")
    placeholders: tuple[Placeholder, ...]
    line: int
    class_reason: str = ""
    see: str | None = None


class Leaf(Struct, frozen=True, gc=False, tag="leaf", tag_field="node"):
    """Where the tree ends. `mitigation` is the slug of the `Runbook.actions` entry to propose, None without one."""

    action: str
    line: int
    command: str | None = None
    mitigation: str | None = None
    see: str | None = None
    escalate: bool = False


class Question(Struct, frozen=True, gc=False, tag="question", tag_field="node"):
    """A yes/no question; `slug` names it in answers."""

    question: str
    slug: str
    yes: Question | Leaf
    no: Question | Leaf
    line: int


Branch: TypeAlias = Question | Leaf


class Checklist(Struct, frozen=True, gc=False):
    """`purpose` is "verification" (must be ticked before an incident is resolved), "follow_up" (kinds of tickets), or
    "other"."""

    title: str
    items: tuple[str, ...]
    line: int
    purpose: str = "other"


class PostIncident(Struct, frozen=True, gc=False):
    what: str
    within: timedelta | None
    items: tuple[str, ...]
    line: int


class PostmortemOutline(Struct, frozen=True, gc=False):
    sections: tuple[str, ...]
    agenda: tuple[str, ...]
    attendees: str = ""


class Dashboard(Struct, frozen=True, gc=False):
    name: str
    line: int
    description: str = ""
    url: str | None = None


class Link(Struct, frozen=True, gc=False):
    text: str
    target: str
    line: int


class LinkedDocument(Struct, frozen=True, gc=False):
    """A document that a link leads to, as far as it can be run: its procedures, whose slugs begin with its name."""

    target: str
    title: str
    procedures: tuple[Procedure, ...]
    line: int


class Finding(Struct, frozen=True, gc=False):
    """What the checker says of a place. `column` is 1-based; `hint` says how to write it instead."""

    code: str
    level: Level
    line: int
    column: int
    message: str
    hint: str = ""


class Runbook(Struct, frozen=True):
    """One document, read. `file` is how the caller named it; `digest` is the sha256 hex of the text.

    `environment` holds the `export` lines of the assessment fence, which later steps rely on, in document order.
    """

    title: str
    file: str
    digest: str
    severities: tuple[Severity, ...] = ()
    indicators: tuple[Indicator, ...] = ()
    alert_sources: tuple[AlertSource, ...] = ()
    escalation: tuple[Rung, ...] = ()
    update_cadence: tuple[Cadence, ...] = ()
    channels: tuple[Audience, ...] = ()
    templates: tuple[Template, ...] = ()
    procedures: tuple[Procedure, ...] = ()
    mitigations: tuple[Mitigation, ...] = ()
    leaf_actions: tuple[Mitigation, ...] = ()
    decision_tree: Question | None = None
    checklists: tuple[Checklist, ...] = ()
    post_incident: tuple[PostIncident, ...] = ()
    postmortem: PostmortemOutline | None = None
    dashboards: tuple[Dashboard, ...] = ()
    links: tuple[Link, ...] = ()
    environment: tuple[str, ...] = ()
    responsibilities: tuple[str, ...] = ()
    linked: tuple[LinkedDocument, ...] = ()

    def severity(self, name: str) -> Severity | None:
        return next((s for s in self.severities if s.name == name), None)

    def rungs(self, severity: str) -> tuple[Rung, ...]:
        """The timed rungs of one severity, soonest first; a rung without a severity is in every ladder."""
        mine = (r for r in self.escalation if r.after is not None and r.severity in (severity, None))
        return tuple(sorted(mine, key=lambda r: (r.after, r.line)))

    def cadence(self, severity: str) -> timedelta | None:
        """How often an update is owed in that severity: by its own rule, else by the one for all."""
        own = (c.every for c in self.update_cadence if c.severity == severity)
        return next(own, next((c.every for c in self.update_cadence if c.severity is None), None))

    def template(self, name: str) -> Template | None:
        """The template of that name, compared without case; None when the document has none."""
        return next((t for t in self.templates if t.name.casefold() == name.casefold()), None)

    def procedure(self, slug: str) -> Procedure | None:
        """The procedure of that name, of this document or of one it links to."""
        linked = (p for document in self.linked for p in document.procedures)
        return next((p for p in (*self.procedures, *linked) if p.slug == slug), None)

    def purpose(self, purpose: Purpose) -> tuple[Procedure, ...]:
        return tuple(p for p in self.procedures if p.purpose is purpose)

    def actions(self) -> tuple[Mitigation, ...]:
        """Every mitigation that can be proposed: the table's rows, then tree leaves whose command is not among them."""
        return self.mitigations + self.leaf_actions

    def mitigation(self, slug: str) -> Mitigation | None:
        return next((m for m in self.actions() if m.slug == slug), None)

    def checklist(self, purpose: str) -> Checklist | None:
        return next((c for c in self.checklists if c.purpose == purpose), None)

    def questions(self) -> Iterator[Question]:
        """The tree's questions, from the root down."""
        pending: list[Branch] = [self.decision_tree] if self.decision_tree else []
        while pending:
            node = pending.pop(0)
            if isinstance(node, Question):
                yield node
                pending += [node.yes, node.no]


class Reading(Struct, frozen=True):
    """What came of one document: the runbook as far as it was understood, and every finding in line order."""

    runbook: Runbook
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.level is Level.ERROR)
