"""The `tocsin` command: reads the arguments, calls, prints. Imports each command's machinery only when it is called."""

from __future__ import annotations

import gc
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from tocsin import __version__
from tocsin.cli import respond
from tocsin.cli.complaints import REFUSED, complain

app = typer.Typer(
    name="tocsin",
    help="Tocsin runs the incident runbook your team already has.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
tokens = typer.Typer(help="Credentials for people and programs.", no_args_is_help=True)
database = typer.Typer(help="The database.", no_args_is_help=True)
drills = typer.Typer(help="Practise: break a small production on purpose, and respond.", no_args_is_help=True)
app.add_typer(tokens, name="token")
app.add_typer(database, name="db")
app.add_typer(drills, name="drill")
respond.register(app)

silences = typer.Typer(help="Silences: alerts that are to page nobody for a while.", no_args_is_help=True)
app.add_typer(silences, name="silence")
ConfigOption = Annotated[Path | None, typer.Option("--config", help="The settings file.", envvar="TOCSIN_CONFIG")]
DatabaseOption = Annotated[str | None, typer.Option("--database", help="The database, e.g. sqlite:///tocsin.db.")]


@app.command()
def check(
    runbooks: Annotated[list[Path] | None, typer.Argument(help="Markdown documents.")] = None,
    format: Annotated[str, typer.Option(help="text, json or sarif.")] = "text",
    config: ConfigOption = None,
    fix: Annotated[bool, typer.Option("--fix", help="First mend what can only be meant one way.")] = False,
    live: Annotated[bool, typer.Option("--live", help="Also ask production whether it is still true.")] = False,
    explain: Annotated[str | None, typer.Option(help="Say what a code means, e.g. R012, and stop.")] = None,
) -> None:
    """Read runbooks; print what was understood and every finding."""
    from tocsin.cli import check as checking

    if explain is not None:
        raise typer.Exit(checking.explain(explain))
    raise typer.Exit(checking.check(runbooks or [], format=format, config=config, fix=fix, live=live))


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="Where to write.")] = Path(),
    yes: Annotated[bool, typer.Option("--yes", help="Take every default without asking.")] = False,
) -> None:
    """Write a commented tocsin.toml and a starter runbook.md, after a few questions on a terminal."""
    from tocsin.cli.init import init as run
    from tocsin.cli.terminal import interactive

    raise typer.Exit(run(directory, ask=input if interactive() and not yes else None))


@app.command()
def simulate(
    runbook: Annotated[Path, typer.Argument(help="A Markdown document.")],
    severity: Annotated[str, typer.Option(help="A level of the runbook, e.g. SEV1.")],
    ack_after: Annotated[str | None, typer.Option(help="When somebody acknowledges, e.g. 20m.")] = None,
    resolve_after: Annotated[str | None, typer.Option(help="When it is resolved, e.g. 2h.")] = None,
    format: Annotated[str, typer.Option(help="text or json.")] = "text",
) -> None:
    """Play an incident on a virtual clock: who would be told what, when."""
    from tocsin.cli.simulate import simulate as run

    code = run(
        runbook,
        severity=severity,
        ack_after=_length(ack_after, "--ack-after"),
        resolve_after=_length(resolve_after, "--resolve-after"),
        format=format,
    )
    raise typer.Exit(code)


@app.command()
def serve(
    config: ConfigOption = None,
    runbook: Annotated[Path | None, typer.Option(help="The Markdown runbook.")] = None,
    database: DatabaseOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.", min=0, max=65535)] = None,
) -> None:
    """Run the service: API, web pages and engine in one process."""
    gc.disable()  # a start makes much and drops little: collecting meanwhile costs an eighth of it; `run` ends this
    from tocsin.cli.serve import serve as run

    raise typer.Exit(run(config, runbook=runbook, database=database, host=host, port=port))


@app.command()
def runner(
    server: Annotated[
        list[str] | None, typer.Option(help="The server's address; TOCSIN_URL when absent. One for each replica.")
    ] = None,
    runbook: Annotated[
        list[Path] | None, typer.Option(help="Its own copy of the runbook; again for other editions.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Settings of this runner: runbook, [procedures], [sources.prometheus].")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="A file with the runner's token; TOCSIN_TOKEN when absent.")
    ] = None,
) -> None:
    """Run the runbook's steps here, near the cluster, for a server that needs no access to it."""
    from tocsin.cli.runner import runner as run

    raise typer.Exit(run(server or [], runbooks=runbook or [], config=config, token_file=token_file))


@app.command()
def demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="Play the responder too; exit 0 if all went well.")
    ] = False,
    fast: Annotated[bool, typer.Option("--fast", help="The runbook's minutes become seconds.")] = False,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any free one.", min=0, max=65535)] = 8080,
) -> None:
    """Break a small practice production and walk one incident from alert to postmortem."""
    from tocsin.cli.demo import demo as run

    raise typer.Exit(run(headless=headless, fast=fast, port=port))


@drills.command("list")
def drill_list(
    twins: Annotated[
        bool, typer.Option("--twins", help="Also each one's twin, with one decisive fact flipped.")
    ] = False,
) -> None:
    """List the drills."""
    from tocsin.cli.drill import listed

    raise typer.Exit(listed(twins=twins))


@drills.command("run")
def drill_run(
    names: Annotated[
        list[str], typer.Argument(help="Drills, as `list` names them; `all` for every one with its twin.")
    ],
    auto: Annotated[bool, typer.Option("--auto", help="Play the responder too, with approvals given.")] = False,
    slow: Annotated[bool, typer.Option("--slow", help="With --auto too the runbook's minutes stay minutes.")] = False,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any free one.", min=0, max=65535)] = 0,
    keep: Annotated[Path, typer.Option(help="Folder for the postmortems.")] = Path("drills"),
    jobs: Annotated[int, typer.Option(help="How many at a time.", min=1, max=8)] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print the score cards as JSON.")] = False,
) -> None:
    """Break the practice production, time the responder, print a score card, keep the postmortem."""
    from tocsin.cli.drill import Run, run

    raise typer.Exit(run(names, Run(auto=auto, fast=auto and not slow, port=port, keep=keep, as_json=json, jobs=jobs)))


@app.command()
def oncall(
    at: Annotated[str | None, typer.Option(help="An instant, e.g. 2026-03-01T08:00Z; now when absent.")] = None,
    config: ConfigOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print who is on call for each role."""
    from tocsin.cli.oncall import oncall as run

    raise typer.Exit(run(config, at=at, as_json=json))


@silences.command("add")
def silence_add(
    matchers: Annotated[list[str], typer.Argument(help="Like 'service=\"backend\"'; all of them must match.")],
    length: Annotated[str, typer.Option("--for", help="How long, e.g. 2h.")],
    because: Annotated[str, typer.Option("--because", help="Why; shown beside it.")],
    starts_in: Annotated[str, typer.Option("--in", help="Begins so long from now; now when absent.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print the server's JSON.")] = False,
) -> None:
    """Silence alerts: recorded, but nobody is paged before it ends."""
    from tocsin.cli import silences as run

    code = run.add(matchers, length=length, starts_in=starts_in, comment=because, as_json=json)
    raise typer.Exit(code)


@silences.command("list")
def silence_list(
    every: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the server's JSON.")] = False,
) -> None:
    """List the silences and maintenance windows."""
    from tocsin.cli import silences as run

    raise typer.Exit(run.listing(every=every, as_json=json))


@silences.command("expire")
def silence_expire(
    silence: Annotated[str, typer.Argument(help="Its id.")],
    json: Annotated[bool, typer.Option("--json", help="Print the server's JSON.")] = False,
) -> None:
    """End a silence now; what still fires pages then."""
    from tocsin.cli import silences as run

    raise typer.Exit(run.expire(silence, as_json=json))


@app.command("signals")
def signals_(
    number: Annotated[int | None, typer.Argument(metavar="[SIGNAL]", help="One of them, whole.", min=1)] = None,
    sender: Annotated[str, typer.Option(help="Only of this sender, e.g. alertmanager.")] = "",
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=200)] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print the server's JSON.")] = False,
) -> None:
    """List what senders sent lately and what came of it, and why."""
    from tocsin.cli import signals

    if number is not None:
        raise typer.Exit(signals.show(number, as_json=json))
    raise typer.Exit(signals.listing(sender=sender, limit=limit, as_json=json))


@app.command("import")
def import_(
    system: Annotated[str, typer.Argument(help="opsgenie, oncall (Grafana OnCall) or pagerduty.")],
    export: Annotated[Path, typer.Argument(help="A JSON file, or a folder of them: answers of the system's API.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The settings file to write.")] = Path("tocsin.toml"),
    force: Annotated[bool, typer.Option("--force", help="Add to a file that is there.")] = False,
) -> None:
    """Turn another system's export into tocsin.toml; say what has no equivalent."""
    from tocsin.cli.importing import bring_over

    raise typer.Exit(bring_over(system, export, output=output, force=force))


@app.command()
def doctor(config: ConfigOption = None, database: DatabaseOption = None) -> None:
    """Check settings, runbook, database, channels and tools on PATH."""
    from tocsin.cli.doctor import doctor as run

    raise typer.Exit(run(config, database=database))


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="Where the copy goes.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Copy the embedded database into a file, also while the server runs."""
    from tocsin.cli.backups import backup as run

    raise typer.Exit(run(file, force=force, config=config, database=database))


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A copy that `tocsin backup` made.")],
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Put a copy in the place of the embedded database, which is kept; not while the server runs."""
    from tocsin.cli.backups import restore as run

    raise typer.Exit(run(file, config=config, database=database))


@tokens.command("create")
def token_create(
    name: Annotated[str, typer.Argument(help="Whose it is; stands on the timeline.")],
    role: Annotated[
        str, typer.Option(help="viewer, responder, commander or admin; runner for `tocsin runner`.")
    ] = "responder",
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Print a new API token, and nothing else, on stdout."""
    from tocsin.cli.administer import create_token

    raise typer.Exit(create_token(name, role=role, config=config, database=database))


@tokens.command("list")
def token_list(config: ConfigOption = None, database: DatabaseOption = None) -> None:
    """List whose credentials are valid."""
    from tocsin.cli.administer import list_tokens

    raise typer.Exit(list_tokens(config=config, database=database))


@tokens.command("revoke")
def token_revoke(
    name: Annotated[str, typer.Argument(help="Whose tokens and sessions end now.")],
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """End every token and session of somebody."""
    from tocsin.cli.administer import revoke_tokens

    raise typer.Exit(revoke_tokens(name, config=config, database=database))


@database.command("upgrade")
def db_upgrade(config: ConfigOption = None, database: DatabaseOption = None) -> None:
    """Bring the database to this version's schema."""
    from tocsin.cli.administer import upgrade

    raise typer.Exit(upgrade(config, database=database))


@database.command("status")
def db_status(config: ConfigOption = None, database: DatabaseOption = None) -> None:
    """Print the database's schema version and the servers that share it; change nothing."""
    from tocsin.cli.administer import status

    raise typer.Exit(status(config, database=database))


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False) -> None:
    if version:
        print(f"tocsin {__version__}")
        raise typer.Exit


def _length(text: str | None, option: str) -> timedelta | None:
    from tocsin.cli.lengths import length

    return None if text is None else length(text, option)


UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""What every refused argument is; Typer shows only its subclasses."""


def main() -> None:
    """The entry point: one line for an error, a clean end for Ctrl-C and for a reader that went away."""
    try:
        code = app(standalone_mode=False)
    except UsageError as exc:
        code = _refused(exc)
    except (KeyboardInterrupt, typer.Abort):
        code = 128 + signal.SIGINT
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 128 + signal.SIGPIPE
    sys.exit(code or 0)


def _refused(exc: Exception) -> int:
    """One line: what is wrong with the arguments, and which help tells more; the help itself when there are none."""
    if type(exc).__name__ == "NoArgsIsHelpError":
        print(exc.format_message() if hasattr(exc, "format_message") else exc, file=sys.stderr)
        return REFUSED
    command = getattr(getattr(exc, "ctx", None), "command_path", "tocsin")
    said = " ".join(exc.format_message().split()) if hasattr(exc, "format_message") else str(exc)
    return complain(f"{said.rstrip('.')}: see {command} --help")


if __name__ == "__main__":
    main()
