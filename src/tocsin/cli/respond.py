"""The responder's commands, wired: arguments in, one call each. Imports nothing heavy before a command is called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

Number = Annotated[int, typer.Argument(metavar="INCIDENT", help="The incident's number.", min=1)]
Json = Annotated[bool, typer.Option("--json", help="Print the server's JSON.")]
Because = Annotated[str, typer.Option("--because", help="Why; stands on the timeline.")]
ApprovalId = Annotated[
    str | None, typer.Argument(metavar="[APPROVAL]", help="Which; the only pending one when absent.")
]
Values = Annotated[list[str], typer.Option("--value", metavar="NAME=VALUE", help="A value that the command asks for.")]

actions = typer.Typer(help="Action items: what somebody promised to do.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds every command of a responder."""
    for name, command in _COMMANDS.items():
        app.command(name)(command)
    app.add_typer(actions, name="action")


def declare(
    title: Annotated[str, typer.Argument(help="What is wrong, in a few words.")],
    severity: Annotated[str, typer.Option(help="A level of the runbook, e.g. SEV1.")] = "",
    summary: Annotated[str, typer.Option(help="Who is affected, and how.")] = "",
    service: Annotated[str, typer.Option(help="What it is about.")] = "",
    json: Json = False,
) -> None:
    """Open an incident; pages as the runbook says."""
    from tocsin.cli import responding

    body = {"title": title, "severity": severity, "summary": summary, "service": service}
    raise typer.Exit(responding.declare(body, as_json=json))


def incidents(
    every: Annotated[bool, typer.Option("--all", help="Resolved and closed ones too.")] = False,
    severity: Annotated[str, typer.Option(help="Only this level.")] = "",
    text: Annotated[str, typer.Option("-q", "--query", help="Only titles with this text.")] = "",
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=200)] = 50,
    json: Json = False,
) -> None:
    """List the incidents, newest first."""
    from tocsin.cli import responding

    raise typer.Exit(responding.listing(every=every, severity=severity, text=text, limit=limit, as_json=json))


def show(number: Number, json: Json = False) -> None:
    """Show an incident: what is owed next, what was found, decided and done."""
    from tocsin.cli import responding

    raise typer.Exit(responding.incident(number, as_json=json))


def timeline(
    number: Number,
    after: Annotated[int, typer.Option(help="Only entries after this seq.", min=0)] = 0,
    json: Json = False,
) -> None:
    """Print what happened, in order."""
    from tocsin.cli import responding

    raise typer.Exit(responding.timeline(number, after=after, as_json=json))


def ack(number: Number, json: Json = False) -> None:
    """Acknowledge: you own it, nobody else is paged."""
    from tocsin.cli import responding

    raise typer.Exit(responding.command(number, "acknowledge", as_json=json))


def escalate(
    number: Number,
    to: Annotated[str, typer.Option(help="A role; the next rung of the matrix when absent.")] = "",
    because: Because = "",
    json: Json = False,
) -> None:
    """Page the next rung of the matrix, or a role."""
    from tocsin.cli import responding

    body = {"role": to, "reason": because}
    raise typer.Exit(responding.command(number, "escalate", body, as_json=json, said="Escalated."))


def severity(
    number: Number,
    level: Annotated[str | None, typer.Argument(help="The new level; absent shows what speaks for each.")] = None,
    because: Because = "",
    json: Json = False,
) -> None:
    """Change the severity; every deadline follows."""
    from tocsin.cli import responding

    if level is None:
        raise typer.Exit(responding.severities(number, as_json=json))
    body = {"severity": level, "reason": because}
    raise typer.Exit(responding.command(number, "severity", body, as_json=json))


def note(
    number: Number, text: Annotated[str, typer.Argument(help="What you saw or did.")], json: Json = False
) -> None:  # fmt: skip
    """Write a note on the timeline."""
    from tocsin.cli import responding

    raise typer.Exit(responding.command(number, "notes", {"text": text}, as_json=json, said="Noted."))


def fact(
    number: Number,
    name: Annotated[str, typer.Argument(help="impact, root_cause, follow_up, summary, went_well, to_improve ...")],
    text: Annotated[str, typer.Argument(help="What is known.")],
    json: Json = False,
) -> None:
    """Record what only a person knows, for templates and postmortem."""
    from tocsin.cli import responding

    raise typer.Exit(responding.command(number, "facts", {name: text}, as_json=json, said="Recorded."))


def status(
    number: Number,
    word: Annotated[str, typer.Argument(help="investigating, identified, monitoring or resolved.")],
    text: Annotated[str, typer.Option(help="Instead of the runbook's sentence.")] = "",
    json: Json = False,
) -> None:
    """Publish a public word on the status page."""
    from tocsin.cli import responding

    body = {"status": word, "text": text}
    raise typer.Exit(responding.command(number, "status", body, as_json=json, said="Published."))


def run(
    number: Number,
    procedure: Annotated[str | None, typer.Argument(help="Its slug; absent lists them.")] = None,
    step: Annotated[list[int], typer.Option(help="Only this step, counted from 1; may be repeated.", min=1)] = [],  # noqa: B006
    value: Values = [],  # noqa: B006
    cancel: Annotated[bool, typer.Option("--cancel", help="Cancel its run instead; the only run when absent.")] = False,
    because: Because = "",
    json: Json = False,
) -> None:
    """Run a procedure's reading steps and follow what they say."""
    from tocsin.cli import following, responding

    if cancel:
        raise typer.Exit(following.cancel(number, procedure, reason=because, as_json=json))
    if procedure is None:
        raise typer.Exit(following.procedures(number, as_json=json))
    try:
        values = responding.pairs(value, "--value")
    except ValueError as exc:
        raise typer.Exit(responding.refused(str(exc))) from None
    raise typer.Exit(following.run(number, procedure, steps=step, values=values, as_json=json))


def mitigate(
    number: Number,
    mitigation: Annotated[str | None, typer.Argument(help="Its slug; absent lists them.")] = None,
    value: Values = [],  # noqa: B006
    approve: Annotated[
        bool, typer.Option("--approve", help="Approve it too, in your own name, and follow it.")
    ] = False,
    break_glass: Annotated[
        bool, typer.Option("--break-glass", help="Run it now, unapproved; an admin, with --because. Everybody is told.")
    ] = False,
    because: Annotated[str, typer.Option("--because", help="Why nobody else can be asked.")] = "",
    json: Json = False,
) -> None:
    """Propose a mitigation; it runs once approved."""
    from tocsin.cli import following, responding

    if mitigation is None:
        raise typer.Exit(following.mitigations(number, as_json=json))
    try:
        values = responding.pairs(value, "--value")
    except ValueError as exc:
        raise typer.Exit(responding.refused(str(exc))) from None
    if break_glass and (approve or not because.strip()):
        raise typer.Exit(responding.refused("--break-glass runs it unapproved: leave out --approve, and say --because"))
    glass = because if break_glass else None
    raise typer.Exit(following.mitigate(number, mitigation, values=values, approved=approve, glass=glass, as_json=json))


def approve(
    number: Number,
    approval: ApprovalId = None,
    sure: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask again on a terminal.")] = False,
    json: Json = False,
) -> None:
    """Approve a mitigation in your own name, and follow it."""
    from tocsin.cli import following

    raise typer.Exit(following.approve(number, approval, sure=sure, as_json=json))


def reject(number: Number, approval: ApprovalId = None, because: Because = "", json: Json = False) -> None:
    """Reject a mitigation."""
    from tocsin.cli import following

    raise typer.Exit(following.reject(number, approval, reason=because, as_json=json))


def settle(
    number: Number,
    approval: Annotated[str, typer.Argument(help="The mitigation whose outcome is unknown.")],
    outcome: Annotated[str, typer.Argument(help="done or failed.")],
    because: Because = "",
    json: Json = False,
) -> None:
    """Say what came of a mitigation whose outcome is unknown."""
    from tocsin.cli import following

    raise typer.Exit(following.settle(number, approval, outcome=outcome, reason=because, as_json=json))


def mitigated(number: Number, because: Because = "", json: Json = False) -> None:
    """Say that the impact stopped."""
    from tocsin.cli import responding

    raise typer.Exit(responding.command(number, "mitigated", {"reason": because}, as_json=json))


def answer(
    number: Number,
    reply: Annotated[str | None, typer.Argument(help="yes, no or unknown; absent shows the way so far.")] = None,
    question: Annotated[str | None, typer.Option(help="Another question, by its slug.")] = None,
    because: Because = "",
    json: Json = False,
) -> None:
    """Answer the decision tree's question."""
    from tocsin.cli import responding

    said = {"y": "yes", "n": "no"}.get(reply.casefold(), reply.casefold()) if reply else None
    if said not in (None, "yes", "no", "unknown"):
        raise typer.Exit(responding.refused(f"{reply!r} is no answer: say yes, no or unknown"))
    raise typer.Exit(responding.answer_question(number, said, question=question, reason=because, as_json=json))


def tick(
    number: Number,
    item: Annotated[
        list[str] | None, typer.Argument(help="Numbers from the list, ids or texts; absent lists them.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every open item of the verification.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Not done after all.")] = False,
    note: Annotated[str, typer.Option(help="What you saw.")] = "",
    json: Json = False,
) -> None:
    """Tick items of the checklists."""
    from tocsin.cli import responding

    raise typer.Exit(responding.tick(number, item or [], every=every, done=not undo, note=note, as_json=json))


def update(
    number: Number,
    progress: Annotated[str, typer.Option(help="What was found or done.")] = "",
    next: Annotated[str, typer.Option(help="What comes next.")] = "",
    eta: Annotated[str, typer.Option(help="When it may be over.")] = "",
    text: Annotated[str, typer.Option(help="The whole message, instead of the template.")] = "",
    template: Annotated[str, typer.Option(help="Another template of the runbook.")] = "",
    field: Annotated[list[str], typer.Option(metavar="NAME=TEXT", help="Another blank of the template.")] = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Post an update to the team."""
    from tocsin.cli import responding

    try:
        fields = responding.pairs(field, "--field")
    except ValueError as exc:
        raise typer.Exit(responding.refused(str(exc))) from None
    fields |= {k: v for k, v in (("progress", progress), ("next", next), ("eta", eta)) if v}
    raise typer.Exit(responding.update(number, text=text, template=template, fields=fields, as_json=json))


def resolve(number: Number, because: Because = "", json: Json = False) -> None:
    """Say that it is over: the verification begins."""
    from tocsin.cli import responding

    raise typer.Exit(responding.resolve(number, reason=because, as_json=json))


def merge(
    number: Number,
    into: Annotated[int, typer.Argument(metavar="INTO", help="The incident that goes on.", min=1)],
    because: Because = "",
    json: Json = False,
) -> None:
    """Make an incident part of another, which has its alerts and all that was owed."""
    from tocsin.cli import responding

    body = {"into": str(into), "reason": because}
    raise typer.Exit(responding.command(number, "merge", body, as_json=json, said=f"Merged into #{into}."))


def split(
    number: Number,
    alerts: Annotated[list[str] | None, typer.Argument(help="Fingerprints; absent lists them.")] = None,
    title: Annotated[str, typer.Option(help="Of the new incident; the first alert's words when absent.")] = "",
    because: Because = "",
    json: Json = False,
) -> None:
    """Make some of its alerts an incident of their own."""
    from tocsin.cli import merging, responding

    if not alerts:
        raise typer.Exit(merging.alerts(number, as_json=json))
    body = {"alerts": alerts, "title": title, "reason": because}
    raise typer.Exit(responding.command(number, "split", body, as_json=json, said="Split off."))


def related(
    number: Number,
    deny: Annotated[
        int | None, typer.Option("--not", metavar="OTHER", help="Say that this one is not related.", min=1)
    ] = None,
    because: Because = "",
    json: Json = False,
) -> None:
    """List what may be one trouble with it, and why."""
    from tocsin.cli import merging, responding

    if deny is not None:
        body = {"incident": str(deny), "reason": because}
        raise typer.Exit(responding.command(number, "unrelated", body, as_json=json, said="Noted: not related."))
    raise typer.Exit(merging.related(number, as_json=json))


def reopen(
    number: Number,
    because: Annotated[str, typer.Option("--because", help="Why; stands on the timeline.")],
    json: Json = False,
) -> None:
    """It was not over: the ladder starts again."""
    from tocsin.cli import responding

    raise typer.Exit(responding.command(number, "reopen", {"reason": because}, as_json=json))


def close(number: Number, because: Because = "", json: Json = False) -> None:
    """The review is done."""
    from tocsin.cli import responding

    raise typer.Exit(responding.command(number, "close", {"reason": because}, as_json=json))


def postmortem(
    number: Number,
    format: Annotated[str, typer.Option(help="md, html or json.")] = "md",
    file: Annotated[Path | None, typer.Option("-o", "--output", help="Write it to this file.")] = None,
) -> None:
    """Print the postmortem as the timeline writes it."""
    from tocsin.cli import responding

    if format not in ("md", "html", "json"):
        raise typer.Exit(responding.refused(f"unknown format {format!r}: use one of md, html, json"))
    raise typer.Exit(responding.postmortem(number, format=format, file=file))


@actions.command("add")
def action_add(
    number: Number,
    title: Annotated[str, typer.Argument(help="What is to be done.")],
    owner: Annotated[str, typer.Option(help="Who does it.")],
    due: Annotated[str, typer.Option(help="A length like 7d, or an instant like 2026-03-01T12:00Z.")] = "7d",
    kind: Annotated[str, typer.Option(help="Which kind of follow-up it is.")] = "",
    json: Json = False,
) -> None:
    """Add an action item."""
    from tocsin.cli import responding

    try:
        body = {"title": title, "owner": owner, "kind": kind, **responding.due(due)}
    except ValueError as exc:
        raise typer.Exit(responding.refused(str(exc))) from None
    raise typer.Exit(responding.command(number, "action-items", body, as_json=json, said="Added."))


@actions.command("done")
def action_done(
    number: Number, item: Annotated[str, typer.Argument(help="Its id, from `tocsin show`.")], json: Json = False
) -> None:  # fmt: skip
    """Say that an action item is done."""
    from tocsin.cli import responding

    raise typer.Exit(responding.command(number, ("action-items", item, "done"), as_json=json, said="Done."))


_COMMANDS: dict[str, Callable[..., None]] = {
    "declare": declare,
    "list": incidents,
    "show": show,
    "timeline": timeline,
    "ack": ack,
    "escalate": escalate,
    "severity": severity,
    "note": note,
    "fact": fact,
    "status": status,
    "run": run,
    "answer": answer,
    "mitigate": mitigate,
    "approve": approve,
    "reject": reject,
    "settle": settle,
    "mitigated": mitigated,
    "update": update,
    "tick": tick,
    "resolve": resolve,
    "related": related,
    "merge": merge,
    "split": split,
    "reopen": reopen,
    "close": close,
    "postmortem": postmortem,
}
