"""Which procedure or mitigation a slug means: the runbook's own, one of a document it links to, or one step.

`database-issues` is a procedure of the runbook, `rollback-deployment--quick-rollback` one of a linked document (its
file's name first, as `tocsin check` prints it; `rollback-deployment/quick-rollback` means the same), and
`rollback-deployment--quick-rollback#2` its second step, as a mitigation to propose.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from msgspec import Struct
from msgspec.structs import replace

from tocsin.incident.policy import Policy
from tocsin.runbook.model import Mitigation, Procedure, Purpose, Runbook, StepKind
from tocsin.runbook.wording import slug as slug_of

_BY_ITSELF = (Purpose.ASSESSMENT, Purpose.VERIFICATION)


class Written(Struct, frozen=True):
    """A procedure with the document that it stands in; `environment` are the exports that it relies on."""

    procedure: Procedure
    document: Runbook
    environment: tuple[str, ...]


class Action(Struct, frozen=True):
    """A mitigation with the document that it stands in."""

    mitigation: Mitigation
    document: Runbook
    environment: tuple[str, ...]


def prefix(document: Runbook) -> str:
    """What the slugs of a linked document begin with: `rollback-deployment` for ROLLBACK_DEPLOYMENT.md."""
    return slug_of(PurePath(document.file).stem) or "linked"


def procedures_of(document: Runbook) -> tuple[Procedure, ...]:
    """A linked document's procedures under their prefixed slugs. None of them runs by itself."""
    return tuple(
        replace(
            p, slug=f"{prefix(document)}--{p.slug}", purpose=Purpose.OTHER if p.purpose in _BY_ITSELF else p.purpose
        )
        for p in document.procedures
    )


def procedure(policy: Policy, slug: str) -> Written | None:
    """The procedure of that slug; None when neither the runbook nor a linked document has it."""
    own = policy.runbook.procedure(slug)
    if own is not None:
        return Written(own, policy.runbook, policy.runbook.environment)
    wanted = slug.replace("/", "--", 1)
    for document in policy.linked:
        for found in procedures_of(document):
            if found.slug == wanted:
                return Written(found, document, document.environment or policy.runbook.environment)
    return None


def dashboard(document: Runbook, title: str) -> str | None:
    """The address of the dashboard that a manual step's title names ("Open Grafana dashboard"); None without one."""
    words = set(re.findall(r"\w+", title.casefold()))
    named = (d for d in document.dashboards if d.url and set(re.findall(r"\w+", d.name.casefold())) <= words)
    found = max(named, key=lambda d: len(d.name), default=None)
    return found.url if found and found.url and found.url.startswith(("https://", "http://")) else None


def mitigation(policy: Policy, slug: str) -> Action | None:
    """The mitigation of that slug: a row of the table, a leaf of the tree, or a changing step (`procedure#2`)."""
    own = policy.runbook.mitigation(slug)
    if own is not None:
        return Action(own, policy.runbook, policy.runbook.environment)
    name, _, number = slug.rpartition("#")
    written = procedure(policy, name) if number.isascii() and number.isdigit() and len(number) < 6 else None
    if written is None or not 1 <= int(number) <= len(written.procedure.steps):
        return None
    step = written.procedure.steps[int(number) - 1]
    if step.kind is not StepKind.SHELL:
        return None
    as_action = Mitigation(
        step.title, slug, written.procedure.title, step.command, step.step_class, step.placeholders, step.line,
        class_reason=step.class_reason,
    )  # fmt: skip
    return Action(as_action, written.document, written.environment)
