"""What people and sources ask of an incident, decided: each function returns the events it brings about, or refuses.

TransitionError: not now. CommandError: the words of the command are wrong. Nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice

from tocsin.incident import events as e
from tocsin.incident import steps
from tocsin.incident.alert import DRILL, Alert, AlertStatus, group_signal
from tocsin.incident.checklists import item as checklist_item
from tocsin.incident.checklists import item_of_text, open_tasks
from tocsin.incident.deadlines import acknowledge_due, open_rungs
from tocsin.incident.errors import CommandError, TransitionError
from tocsin.incident.paging import page_again, page_first, page_rung
from tocsin.incident.policy import Context
from tocsin.incident.state import Incident, Status
from tocsin.incident.steps import what_is_missing as what_is_missing
from tocsin.incident.templates import OPTIONAL, asks, fill
from tocsin.incident.templates import facts as known_facts
from tocsin.incident.transitions import after, allowed
from tocsin.runbook.model import Procedure, Rung, StepClass, Template

PUBLIC_WORDS = ("investigating", "identified", "monitoring", "resolved")
LABELS, LABEL = 20, 100
"""So many labels of the alert that opened it an incident keeps, of so many characters at most."""
LASTING_FACTS = frozenset({"impact", "root_cause", "follow_up", "summary", "went_well", "to_improve"})

Events = tuple[e.Event, ...]


def opened(
    ctx: Context,
    *,
    title: str,
    severity: str,
    severity_reason: str,
    service: str,
    source: str,
    summary: str = "",
    first_role: str = "",
    drill: bool = False,
    labels: Mapping[str, str] | None = None,
    after_quiet: str = "",
    quiet: timedelta | None = None,
) -> e.Opened:
    """The first event of an incident. Raises CommandError for a severity that the runbook does not define.

    A drill is told as one by its title; whoever gives it such a title means one.
    """
    _known_severity(ctx, severity)
    if not title.strip():
        raise CommandError("an incident needs a title", {"title": "must not be empty"})
    title = " ".join(title.split())
    drill = drill or title.startswith(DRILL)
    title = f"{DRILL if drill else ''}{title.removeprefix(DRILL)}"[:300]
    linked = tuple(document.digest for document in ctx.policy.linked)
    digest = ctx.policy.runbook.digest
    return e.Opened(
        title, severity, severity_reason, service, source, digest, summary, linked, first_role, drill,
        _telling(labels or {}), after_quiet, quiet,
    )  # fmt: skip


def first_moves(incident: Incident, ctx: Context) -> Events:
    """What follows an opening at once: the page, the Initial Alert, the public word, the assessment."""
    return (
        *page_first(incident, ctx),
        *steps.post(incident, ctx, "Initial Alert"),
        *steps.publish(incident, ctx, Status.OPEN),
        *steps.assessment(incident, ctx),
    )


def alert_changed(incident: Incident, ctx: Context, alert: Alert) -> Events:
    """An alert of this incident began or stopped to fire.

    Alerts resolve nothing by themselves: when the last one stops, the verification begins; when one fires again while
    watching, the verification has failed.
    """
    if alert.status is AlertStatus.FIRING:
        fired = e.AlertFired(alert.fingerprint, alert.name, alert.summary, alert.starts_at, group_signal(alert))
        return (fired, *fires_again(incident, ctx, f"alert {alert.name} fires again"))
    stopped = e.AlertResolved(alert.fingerprint, alert.name)
    last = incident.alerts_firing == 1
    if last and allowed(incident.status, e.VerificationStarted) and not _watching(incident):
        owned = incident.status is not Status.OPEN
        return (stopped, *steps.verification(incident, ctx, cause="every alert stopped firing", owned=owned))
    return (stopped,)


def fires_again(incident: Incident, ctx: Context, why: str) -> Events:
    """What follows when something fires while the fix is being watched, or was: it failed."""
    watching = incident.verification is not None and incident.verification.status != "failed"
    if watching and allowed(incident.status, e.VerificationFailed):
        return (e.VerificationFailed(why), *_back(incident, ctx))
    return ()


def refuse_over(incident: Incident) -> None:
    """Raises TransitionError for an incident that is over, with where it went on if it did."""
    _allowed(incident, e.Paged)


def acknowledge(incident: Incident, ctx: Context, *, via: str) -> Events:
    """Somebody owns it. A second acknowledge is recorded and changes nothing; after the end it is refused.

    A verification that began while nobody owned it goes on: same run, same window.
    """
    _allowed(incident, e.Acknowledged)
    owned = e.Acknowledged(acknowledge_due(incident, ctx.policy), via)
    v = incident.verification
    if incident.status is not Status.OPEN or v is None or not _watching(incident):
        return (owned,)
    watched = e.VerificationStarted(v.cause, v.earliest_at, v.latest_at, v.run)
    return (owned, watched, *steps.monitored(incident, ctx, cause=v.cause))


def escalate(incident: Incident, ctx: Context, *, role: str | None = None, reason: str = "") -> Events:
    """Pages the next rung now, or `role` when one is named. Raises CommandError when nobody is left to page."""
    _allowed(incident, e.Paged)
    cause = f"escalated by {ctx.actor.name}" + (f": {reason}" if reason else "")
    rungs = open_rungs(incident, ctx.policy)
    if role is None and rungs:
        reached = page_rung(incident, ctx, _beyond_first(incident, ctx, rungs), cause=cause)
        if any(isinstance(event, e.Paged) for event in reached):
            return reached
    ladder = ctx.policy.rungs(incident.severity)
    wanted = role or (ladder[-1].to if ladder else ctx.policy.first_role(incident.severity))
    found = page_again(incident, ctx, wanted, cause=cause)
    if not found:
        raise CommandError(f"nobody holds the role {wanted!r} now", {"role": "nobody holds it now"})
    return found


def set_severity(incident: Incident, ctx: Context, *, severity: str, reason: str = "") -> Events:
    """Another level; every deadline follows by itself. The same level again is refused as no change."""
    _allowed(incident, e.SeverityChanged)
    _known_severity(ctx, severity)
    if severity == incident.severity:
        raise TransitionError(f"the incident is {severity} already")
    return (e.SeverityChanged(severity, incident.severity, reason),)


def note(incident: Incident, ctx: Context, *, text: str) -> Events:
    return (e.Noted(_text(text, "text")),)


def assign(incident: Incident, ctx: Context, *, role: str, person: str) -> Events:
    _allowed(incident, e.RoleAssigned)
    named = ctx.policy.roster.named(_text(person, "person"))
    return (e.RoleAssigned(_text(role, "role"), named.name if named else person.strip()),)


def record_fact(incident: Incident, ctx: Context, *, name: str, text: str) -> Events:
    """Something only a person knows (impact, root cause ...), kept for the templates and the postmortem."""
    return (e.FactRecorded(_text(name, "name"), _text(text, "text")),)


def publish(incident: Incident, ctx: Context, *, status: str, text: str = "") -> Events:
    """The public word, in the runbook's sentence unless `text` is given."""
    _allowed(incident, e.StatusPublished)
    if status.casefold() not in PUBLIC_WORDS:
        raise CommandError(f"no public status {status!r}", {"status": f"one of {', '.join(PUBLIC_WORDS)}"})
    return (steps.public_event(incident, ctx, status.casefold(), text.strip()),)


def update(
    incident: Incident,
    ctx: Context,
    *,
    template: str = "Update",
    fields: Mapping[str, str] | None = None,
    text: str = "",
) -> Events:
    """An update to the team: `text` as written, or the template filled from the incident and `fields`.

    Blanks that nobody filled are asked for: CommandError names each. Lasting facts (impact, root cause ...) are kept.
    """
    _allowed(incident, e.Posted)
    if text.strip():
        return (e.Posted("", text.strip()),)
    found = ctx.policy.runbook.template(template)
    if found is None:
        names = ", ".join(t.name for t in ctx.policy.runbook.templates) or "none"
        raise CommandError(f"the runbook has no template {template!r}", {"template": f"one of: {names}"})
    given = {k: v.strip() for k, v in (fields or {}).items() if v.strip()}
    _complete(incident, ctx, found, given)
    kept = tuple(e.FactRecorded(k, v) for k, v in given.items() if k in LASTING_FACTS and incident.facts.get(k) != v)
    return (*kept, *steps.post(incident, ctx, found.name, given=given))


def update_asks(incident: Incident, ctx: Context, template: Template) -> tuple[str, ...]:
    """The blanks of a template that the incident cannot fill itself, optional ones last."""
    known = known_facts(incident, now=ctx.at, link="-")
    unknown = [name for name in asks(template) if not known.get(name)]
    return tuple(sorted(unknown, key=lambda name: name in OPTIONAL))


def start_procedure(
    incident: Incident, ctx: Context, procedure: Procedure, *, indices: Sequence[int], values: Mapping[str, str]
) -> Events:  # fmt: skip
    """A run of the given steps (from 1; none is all). Steps that change production are refused: they need approval."""
    _allowed(incident, e.RunStarted)
    reading = tuple(n for n, s in enumerate(procedure.steps, start=1) if s.step_class is StepClass.READ)
    wanted = tuple(indices) or (reading if values else steps.runs_by_itself(procedure) or reading)
    beyond = [n for n in wanted if not 1 <= n <= len(procedure.steps)]
    if beyond:
        raise CommandError(f"{procedure.title} has no step {beyond[0]}", {"steps": f"1 to {len(procedure.steps)}"})
    changing = [n for n in wanted if n not in reading]
    if changing or not wanted:
        which = f"step {changing[0]} of {procedure.title}" if changing else f"every step of {procedure.title}"
        raise CommandError(f"{which} may change production: propose it as a mitigation", {"steps": "not only reading"})
    _valued(procedure, wanted, values)
    return (steps.start_run(incident, procedure, indices=wanted, values=values),)


def cancel_run(incident: Incident, ctx: Context, *, run: str, reason: str = "") -> Events:
    """A person stops a run. Refused for one that has ended, and for the watching of a verification."""
    found = incident.run(run)
    if found is None:
        raise CommandError(f"no run {run!r}", {"run": "an id from the incident's runs"})
    if found.status != "running":
        raise TransitionError(f"{found.title} is {found.status} already: there is nothing to stop")
    v = incident.verification
    if v is not None and v.run == run and v.status == "watching":
        raise TransitionError("this run watches the fix: resolve with a reason instead of stopping it")
    return (e.RunFinished(run, "cancelled", reason.strip()),)


def tick(incident: Incident, ctx: Context, *, item: str, done: bool, note: str = "") -> Events:
    """A checklist item or task done (or not after all). `item` is its id, or its text."""
    found = checklist_item(ctx.policy.runbook, item) or item_of_text(ctx.policy.runbook, item)
    if found is None:
        raise CommandError(f"no checklist item {item!r}", {"item": "an id from the incident's checklist"})
    return (e.ChecklistTicked(found.id, found.text, done, note),)


def mitigated(incident: Incident, ctx: Context, *, reason: str = "") -> Events:
    """The impact stopped: rungs inform nobody any more."""
    _allowed(incident, e.Mitigated)
    said = e.Mitigated(reason)
    return (said, *steps.publish(incident, ctx, after(incident.status, said)))


def resolve(incident: Incident, ctx: Context, *, reason: str = "") -> Events:
    """It is over, says a person. Verification first; with a `reason` at once, open items named.

    The first call begins the verification; the incident resolves by itself when the window passed and every item is
    ticked. Asked again while something is open, it is refused with what is missing. Not owned yet, it is the person's.
    """
    if incident.status.over:
        _not_merged(incident)
        raise TransitionError(f"the incident is {incident.status} already")
    own = () if incident.acknowledged_at else acknowledge(incident, ctx, via="resolve")
    missing = what_is_missing(incident, ctx)
    if not missing:
        return (*own, *steps.resolved(incident, ctx, reason=reason, open_items=()))
    if reason.strip():
        return (*own, *steps.resolved(incident, ctx, reason=reason.strip(), open_items=missing))
    if incident.resolve_requested_by is not None and _watching(incident):
        raise TransitionError("not verified yet: " + "; ".join(missing) + ". Say why to resolve all the same")
    begun = (
        ()
        if _watching(incident) and not own
        else steps.verification(incident, ctx, cause=f"{ctx.actor.name} says it is over")
    )
    return (*own, *begun, e.ResolveRequested())


def verification_failed(incident: Incident, ctx: Context, *, reason: str) -> Events:
    """A step of the verification found the service unhealthy."""
    if not _watching(incident):
        return ()
    return (e.VerificationFailed(reason), *_back(incident, ctx))


def reopen(incident: Incident, ctx: Context, *, reason: str) -> Events:
    """It was not over: the ladder starts again from now, with a page."""
    _allowed(incident, e.Reopened)
    return (e.Reopened(_text(reason, "reason")),)


def after_reopening(incident: Incident, ctx: Context) -> Events:
    """What follows a reopening at once, decided on the reopened incident."""
    return (*page_first(incident, ctx), *steps.publish(incident, ctx, Status.OPEN))


def close(incident: Incident, ctx: Context, *, reason: str = "") -> Events:
    """The review is done. Open post-incident tasks keep it from closing unless a person says why."""
    _allowed(incident, e.Closed)
    owed = open_tasks(incident, ctx.policy.runbook)
    if owed and not reason.strip():
        raise TransitionError("still to do: " + "; ".join(i.text for i, _ in owed) + ". Say why to close all the same")
    return (e.Closed(reason.strip()),)


def add_action_item(
    incident: Incident, ctx: Context, *, title: str, owner: str, due_at: datetime, kind: str = ""
) -> Events:
    _not_merged(incident)
    item = str(len(incident.action_items) + 1)
    return (e.ActionItemAdded(item, _text(title, "title"), _text(owner, "owner"), due_at, kind),)


def finish_action_item(incident: Incident, ctx: Context, *, item: str) -> Events:
    if not any(a.id == item and a.done_at is None for a in incident.action_items):
        raise CommandError(f"no open action item {item!r}", {"item": "the id of an open action item"})
    return (e.ActionItemDone(item),)


def _watching(incident: Incident) -> bool:
    return incident.verification is not None and incident.verification.status in ("watching", "passed")


def _back(incident: Incident, ctx: Context) -> Events:
    """The public word when monitoring turned out to be too early."""
    return steps.publish(incident, ctx, Status.MITIGATING) if incident.status is Status.MONITORING else ()


def _valued(procedure: Procedure, wanted: Sequence[int], values: Mapping[str, str]) -> None:
    asked = (p for n in wanted for p in procedure.steps[n - 1].placeholders)
    missing = {p.name: p.refused or "needed by the command" for p in asked if p.refused or not values.get(p.name)}
    if missing:
        raise CommandError(f"{procedure.title} needs: {', '.join(missing)}", missing)


def _beyond_first(incident: Incident, ctx: Context, rungs: Sequence[Rung]) -> Rung:
    """A person who escalates wants somebody new: the first open rung whose role has not been paged."""
    paged = {p.role for p in incident.pages}
    return next((r for r in rungs if r.to not in paged), rungs[0])


def _complete(incident: Incident, ctx: Context, template: Template, given: Mapping[str, str]) -> None:
    known = known_facts(incident, now=ctx.at, link=ctx.policy.link or "-")
    missing = fill(template, known | dict(given)).missing
    if missing:
        words = dict.fromkeys(missing, "needed by the template")
        raise CommandError(f"{template.name} needs: {', '.join(missing)}", words)


def _telling(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels that an incident keeps: a few short ones, in the order of their names."""
    short = ((k, v) for k, v in sorted(labels.items()) if v and len(k) <= LABEL and len(v) <= LABEL)
    return dict(islice(short, LABELS))


def _known_severity(ctx: Context, severity: str) -> None:
    if ctx.policy.runbook.severity(severity) is None:
        names = ", ".join(s.name for s in ctx.policy.runbook.severities)
        raise CommandError(f"the runbook has no severity {severity!r}", {"severity": f"one of {names}"})


def _allowed(incident: Incident, event: type[e.Event]) -> None:
    _not_merged(incident)
    if not allowed(incident.status, event):
        raise TransitionError(f"the incident is {incident.status}: not possible now")


def _not_merged(incident: Incident) -> None:
    if incident.merged_into is not None:
        raise TransitionError(f"the incident was merged into #{incident.merged_into.number}: go on there")


def _text(text: str, field: str) -> str:
    if not text.strip():
        raise CommandError(f"{field} must not be empty", {field: "must not be empty"})
    return text.strip()
