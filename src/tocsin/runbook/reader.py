"""Reads a Markdown incident runbook: every part by its own recogniser, and every doubt as a finding.

Pure, and total: any text gives a `Reading`. What a document does not say is absent, never guessed.
"""

from __future__ import annotations

import hashlib
from pathlib import PurePath

from tocsin.runbook import (
    aftermath,
    checklists,
    communication,
    contradictions,
    detection,
    document,
    escalation,
    links,
    messages,
    mitigations,
    procedures,
    severities,
    tables,
    tree,
)
from tocsin.runbook.model import Finding, Reading, Runbook


def read(text: str, *, file: str) -> Reading:
    """What the text says, and every finding in line order; `file` is only carried along as the document's name."""
    parsed = document.parse(text)
    said: list[Finding] = tables.check(parsed)
    levels, doubts = severities.read(parsed)
    said += doubts + contradictions.of_levels(parsed, levels, frozenset(found.line for found in doubts))
    defined = severities.scale(parsed, levels)
    rungs, doubts = escalation.read(parsed, defined)
    said += doubts + contradictions.of_rungs(parsed, rungs)
    cadence, doubts = communication.cadence(parsed, defined)
    said += doubts
    worded, doubts = messages.read(parsed)
    said += doubts
    known = links.read(parsed)
    titles = links.titles(known)
    steps, environment, doubts = procedures.read(parsed)
    said += doubts
    actions, doubts = mitigations.read(parsed, titles)
    said += doubts
    grown = tree.read(parsed, titles, actions)
    said += grown.findings
    boxes, doubts = checklists.read(parsed)
    said += doubts
    owed, doubts = aftermath.tasks(parsed)
    said += doubts
    runbook = Runbook(
        title=parsed.title or PurePath(file).stem,
        file=file,
        digest=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        severities=levels,
        indicators=severities.indicators(parsed, defined),
        alert_sources=detection.alert_sources(parsed),
        escalation=rungs,
        update_cadence=cadence,
        channels=communication.channels(parsed),
        templates=worded,
        procedures=mitigations.beside(actions, steps),
        mitigations=actions,
        leaf_actions=grown.actions,
        decision_tree=grown.question,
        checklists=boxes,
        post_incident=owed,
        postmortem=aftermath.outline(parsed),
        dashboards=links.dashboards(parsed),
        links=known,
        environment=environment,
        responsibilities=detection.responsibilities(parsed),
    )
    ordered = sorted(set_of(said), key=lambda finding: (finding.line, finding.column, finding.code))
    return Reading(runbook, tuple(ordered))


def set_of(said: list[Finding]) -> tuple[Finding, ...]:
    """The findings, each once."""
    return tuple(dict.fromkeys(said))
