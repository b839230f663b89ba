"""Parts that commands and the clock share: starting runs, verifying, ending, posting a template, the public word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from tocsin.incident import events as e
from tocsin.incident import templates
from tocsin.incident.alert import DRILL
from tocsin.incident.checklists import open_verification
from tocsin.incident.policy import Context
from tocsin.incident.state import Incident, Status
from tocsin.runbook.model import Procedure, Purpose, StepClass

BAD = ("unhealthy", "failed", "timed_out")
"""Outcomes of a step that speak against health."""
STATUS_PAGE_TEMPLATES = ("Status Page Updates", "Status Page", "Status Page Update")


def start_run(
    incident: Incident, procedure: Procedure, *, indices: Sequence[int], values: Mapping[str, str] | None = None
) -> e.RunStarted:  # fmt: skip
    """A run of some of a procedure's steps (`indices` from 1). Its id counts from 1 within the incident."""
    titles = tuple(procedure.steps[n - 1].title for n in indices)
    return e.RunStarted(
        run=str(len(incident.runs) + 1), procedure=procedure.slug, title=procedure.title,
        purpose=procedure.purpose.value, steps=titles, indices=tuple(indices), values=dict(values or {}),
    )  # fmt: skip


def runs_by_itself(procedure: Procedure) -> tuple[int, ...]:
    """The steps that need nobody's word: they read, and ask for no value. Manual ones are listed, to be seen."""
    return tuple(
        n
        for n, step in enumerate(procedure.steps, start=1)
        if step.step_class is StepClass.READ and not step.placeholders
    )


def assessment(incident: Incident, ctx: Context) -> tuple[e.Event, ...]:
    """The runbook's initial assessment, begun; empty when it has none."""
    found = ctx.policy.runbook.purpose(Purpose.ASSESSMENT)
    return (start_run(incident, found[0], indices=runs_by_itself(found[0])),) if found else ()


def verification(incident: Incident, ctx: Context, *, cause: str, owned: bool = True) -> tuple[e.Event, ...]:
    """Watching begun: the runbook's resolution steps, over the window it asks for ("Monitor for 15-30 minutes").

    Without such a procedure there is nothing to watch and the verification passes at once. While nobody owns the
    incident (`owned` false) nothing is said of it: not that the impact stopped, nor to the public that a fix is in.
    """
    said = monitored(incident, ctx, cause=cause) if owned else ()
    found = ctx.policy.runbook.purpose(Purpose.VERIFICATION)
    if not found:
        return (e.VerificationStarted(cause, ctx.at, ctx.at), *said)
    run = start_run(incident, found[0], indices=runs_by_itself(found[0]))
    least, most = _window(found[0], ctx)
    return (e.VerificationStarted(cause, ctx.at + least, ctx.at + most, run.run), run, *said)


def unconvincing(incident: Incident) -> tuple[str, ...]:
    """The verification's steps that do not speak for the fix: they found something wrong, or never answered at all.

    A step that cannot tell (`unknown`, `manual`) is left to the checklist, which a person ticks.
    """
    v = incident.verification
    run = incident.run(v.run) if v and v.run else None
    wrong = [f"{s.title}: {s.reason or s.outcome}" for s in (run.steps if run else ()) if s.outcome in BAD]
    silent = [f"{s.title} has not answered" for s in (run.steps if run else ()) if s.outcome is None]
    return (*wrong, *silent)


def what_is_missing(incident: Incident, ctx: Context) -> tuple[str, ...]:
    """What still keeps the incident from being resolved, in words; empty when nothing does."""
    missing = [f"open: {i.text}" for i in open_verification(incident, ctx.policy.runbook)]
    v = incident.verification
    if v is None or v.status == "failed":
        missing.append("the verification has not run" if v is None else f"the verification failed: {v.reason}")
    elif v.status == "watching" and ctx.at < v.earliest_at:
        missing.append(f"monitoring until {v.earliest_at:%H:%M} UTC at the earliest")
    if v is not None and v.status == "watching":
        missing += unconvincing(incident)
    return tuple(missing)


def monitored(incident: Incident, ctx: Context, *, cause: str) -> tuple[e.Event, ...]:
    """What an owned incident says once it is being watched: the impact stopped, as far as is known."""
    stopped = () if incident.mitigated_at else (e.Mitigated(cause),)
    return (*stopped, *publish(incident, ctx, Status.MONITORING))


def _window(procedure: Procedure, ctx: Context) -> tuple[timedelta, timedelta]:
    stated = next((s.window for s in procedure.steps if s.window), None)
    if stated:
        return stated
    polls = any(s.poll for s in procedure.steps)
    return ctx.policy.rules.watch_window if polls else (timedelta(0), timedelta(0))


def resolved(incident: Incident, ctx: Context, *, reason: str, open_items: tuple[str, ...]) -> tuple[e.Event, ...]:
    """The end: the Resolution template posted with its duration, the public told."""
    done = e.Resolved(reason, open_items)
    return (*post(incident, ctx, "Resolution", ended=True), *publish(incident, ctx, Status.RESOLVED), done)


def post(
    incident: Incident, ctx: Context, name: str, *, given: Mapping[str, str] | None = None, ended: bool = False
) -> tuple[e.Event, ...]:  # fmt: skip
    """A template of the runbook, or Tocsin's own of that name, filled and posted; empty when there is neither."""
    template = templates.in_force(ctx.policy.runbook, name)
    if template is None:
        return ()
    link = ctx.policy.link.format(number=incident.number)
    facts = (
        templates.facts(incident, now=ctx.at, link=link) | ({"status": "Resolved"} if ended else {}) | dict(given or {})
    )
    filled = templates.fill(template, facts)
    return (e.Posted(template.name, filled.text, filled.missing),)


def publish(incident: Incident, ctx: Context, status: Status) -> tuple[e.Event, ...]:
    """The public word for `status`, when it is new and the page follows by itself (or shows this incident already).

    Of a drill the public is told nothing but what a person publishes.
    """
    word = templates.public_word(status)
    shown = incident.public[-1].status if incident.public else None
    by_itself = ctx.policy.rules.publish_automatically and not incident.drill
    if word == shown or not (by_itself or shown):
        return ()
    return (public_event(incident, ctx, word),)


def public_event(incident: Incident, ctx: Context, word: str, text: str = "") -> e.StatusPublished:
    """What the public reads: the runbook's own sentence unless a person wrote one; of a drill, that it is one."""
    template = next(filter(None, map(ctx.policy.runbook.template, STATUS_PAGE_TEMPLATES)), None)
    service = incident.service or "our service"
    sentence = text or templates.public_text(template, word, service)
    mark = DRILL if incident.drill else ""
    return e.StatusPublished(word, mark + sentence, mark + templates.public_title(template, service))
