"""A question of the decision tree is answered, by facts or by a person; at a leaf its mitigation is only proposed.

A person's word stands above what facts said: Tocsin never changes it, and overruling Tocsin takes a reason.
"""

from __future__ import annotations

from tocsin.diagnosis.walk import ANSWERS, NO, YES, Position, walk
from tocsin.incident import events as e
from tocsin.incident.errors import CommandError, TransitionError
from tocsin.incident.mitigations import NOWHERE, UNFINISHED, Footing, propose
from tocsin.incident.policy import TOCSIN, Context
from tocsin.incident.state import Answer, Incident
from tocsin.incident.transitions import allowed
from tocsin.runbook.model import Leaf, Mitigation

Events = tuple[e.Event, ...]
TRIED = (*UNFINISHED, "done", "unknown")
"""Statuses of an approval that keep the tree from proposing the same mitigation once more by itself."""


def answer(
    incident: Incident,
    ctx: Context,
    *,
    question: str,
    answer: str,
    reason: str = "",
    footing: Footing = NOWHERE,
    evidence: str | None = None,
) -> Events:
    """The answer recorded, and the proposal of the leaf's mitigation when it leads to one that asks for no value.

    `footing` is where that mitigation would act; an approval of it holds for nowhere else.
    `question` is a slug, `answer` yes, no or unknown. An answer may be changed: later ones then hold only where the
    new path meets them. `evidence` is the id of what an answer from facts rests on. Nothing when facts say again what
    is known, or speak where a person has spoken. Raises CommandError for words that are none and for overruling without
    a reason, TransitionError for a question not reached yet.
    """
    if not allowed(incident.status, e.Answered):
        raise TransitionError(f"the incident is {incident.status}: nothing to decide")
    said = answer.strip().casefold()
    if said not in ANSWERS:
        raise CommandError(f"no answer {answer!r}", {"answer": f"one of {', '.join(ANSWERS)}"})
    _on_the_path(incident, ctx, question)
    before = next((a for a in incident.answers if a.question == question), None)
    by_itself = ctx.actor.name == TOCSIN.name
    if by_itself and before is not None and (before.by != TOCSIN.name or before.answer == said):
        return ()
    if not by_itself and before is not None and _overrules(before, said) and not reason.strip():
        raise CommandError(f"the evidence says {before.answer}: say why it is {said}", {"reason": "must not be empty"})
    given = Answer(question, said, ctx.actor.name, ctx.at, reason.strip(), evidence)
    reached = walk(ctx.policy.runbook, (*incident.answers, given))
    return (e.Answered(question, said, given.reason, evidence), *_proposed(incident, ctx, reached, footing))


def _overrules(before: Answer, said: str) -> bool:
    return before.by == TOCSIN.name and before.answer in (YES, NO) and before.answer != said


def to_propose(incident: Incident, ctx: Context, leaf: Leaf) -> Mitigation | None:
    """The mitigation at a leaf when it can be proposed as it stands: a command, no blank, not tried yet."""
    found = ctx.policy.runbook.mitigation(leaf.mitigation) if leaf.mitigation else None
    if found is None or found.command is None or found.placeholders:
        return None
    tried = any(a.slug == found.slug and a.status in TRIED for a in incident.approvals)
    return None if tried else found


def _on_the_path(incident: Incident, ctx: Context, question: str) -> None:
    tree = {q.slug: q.question for q in ctx.policy.runbook.questions()}
    if question not in tree:
        known = ", ".join(tree) or "none: the runbook has no decision tree"
        raise CommandError(f"the decision tree has no question {question!r}", {"question": f"one of {known}"})
    now = walk(ctx.policy.runbook, incident.answers)
    open_to_answer = {step.slug for step in now.path} | ({now.question.slug} if now.question else set())
    if question not in open_to_answer:
        first = (
            f"answer \u201c{now.question.question}\u201d first" if now.question else "change an earlier answer first"
        )
        raise TransitionError(f"\u201c{tree[question]}\u201d is not asked: {first}")


def _proposed(incident: Incident, ctx: Context, reached: Position, footing: Footing) -> Events:
    mitigation = to_propose(incident, ctx, reached.leaf) if reached.leaf else None
    return propose(incident, ctx, mitigation, values={}, footing=footing) if mitigation else ()
