"""`tocsin doctor`: one line a check with its remedy. Looks and connects; refuses to send, to change or to create."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from tocsin.channels.text import one_line
from tocsin.cli import opening
from tocsin.cli.check import UnreadableError, reading_of
from tocsin.cli.diagnoses import Check, Verdict, database_check, fail, ok, warn
from tocsin.cli.reaching import Target, channel_targets, reached, source_targets
from tocsin.cli.terminal import put
from tocsin.config import Overrides, Settings, SettingsError, check_against, roster
from tocsin.config.rosters import calendar_notes
from tocsin.feeds import feeds
from tocsin.runbook.model import Level, Reading, Runbook
from tocsin.runbook.programs import programs

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def doctor(config: Path | None, *, database: str | None) -> int:
    """0 when everything that must work does, warnings or not; 1 otherwise."""
    found: list[Check] = []
    for check in _checks(config, database):
        found.append(check)
        put([_line(check)])
    failed = sum(c.verdict is Verdict.FAIL for c in found)
    warned = sum(c.verdict is Verdict.WARN for c in found)
    put([f"{_count(len(found), 'check')}: {failed} failed, {_count(warned, 'warning')}"])
    return 1 if failed else 0


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _line(check: Check) -> str:
    return f"{check.verdict:4}  {check.what:11}  {one_line(check.said, limit=500)}"


def _checks(config: Path | None, database: str | None) -> Iterator[Check]:
    try:
        settings = opening.settings(config, Overrides(database=database))
    except opening.Refused as exc:
        yield from (fail("settings", line) for line in exc.lines)
        return
    yield ok("settings", settings.origin.file or "none: built-in defaults, one person holds every role")
    for name in ("", *settings.runbooks):
        reading = _read(settings, name)
        if isinstance(reading, Check):
            yield reading
        else:
            yield _judged(reading)
            yield from _roles(settings, reading.runbook, name)
            yield from _tools(settings, reading.runbook)
    yield database_check(settings.database.get_secret_value())
    yield from _reachable(settings)
    yield from _calendars(settings)
    yield from _exposure(settings)
    yield from _writable("status page", settings.status_page.publish)
    yield from _writable("spool", settings.ingest.spool)
    yield from _writable("backup", settings.backup.folder)


def _read(settings: Settings, name: str) -> Reading | Check:
    file = settings.runbook_file(name)
    try:
        return reading_of(file.read_text(encoding="utf-8-sig"), file)
    except UnreadableError as exc:
        return fail("runbook", str(exc))
    except UnicodeDecodeError:
        return fail("runbook", f"{file}: is not UTF-8 text: save it as UTF-8")
    except OSError as exc:
        return fail("runbook", f"{file}: {exc.strerror}: set runbook in the settings")


def _judged(reading: Reading) -> Check:
    counts = {level: sum(f.level is level for f in reading.findings) for level in Level}
    errors, warnings = _count(counts[Level.ERROR], "error"), _count(counts[Level.WARNING], "warning")
    said = f"{reading.runbook.file}: {errors}, {warnings}"
    remedy = f": see `tocsin check {reading.runbook.file}`"
    if counts[Level.ERROR]:
        return fail("runbook", said + remedy)
    return warn("runbook", said + remedy) if counts[Level.WARNING] else ok("runbook", said)


def _roles(settings: Settings, book: Runbook, name: str) -> Iterator[Check]:
    wrong = check_against(settings, book, name=name)
    yield from (fail("roles", line) for line in wrong)
    if wrong:
        return
    try:
        people = roster(settings, feeds=feeds(settings), runbook=book)
    except SettingsError:
        return  # the calendars' own check says why
    now = datetime.now(UTC)
    for role in people.role_names:
        names = ", ".join(p.name for p in people.holders(role, now))
        yield ok("roles", f"{role}: {names}") if names else warn("roles", f"{role}: nobody holds it now: see [roles]")


def _tools(settings: Settings, book: Runbook) -> Iterator[Check]:
    if settings.runner.where == "remote":
        yield ok("tools", "steps run by `tocsin runner`: it looks for their programs where it runs")
        return
    path = _environment(settings, "PATH")
    needed = programs(book)
    for name, line in sorted(needed.items()):
        found = shutil.which(name, path=path)
        if found:
            yield ok("tools", f"{name}: {found}")
        else:
            where = f"{book.file}:{line}"
            yield warn("tools", f"{name} is not on PATH ({where}): install it, or set PATH in [procedures.environment]")
    if "kubectl" in needed:
        yield _kubeconfig(settings, book)


def _kubeconfig(settings: Settings, book: Runbook) -> Check:
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return ok("kubeconfig", "inside a cluster: its service account is used")
    exported = next((e.partition("=")[2].strip("\"'") for e in book.environment if "KUBECONFIG=" in e), "")
    named = exported or _environment(settings, "KUBECONFIG")
    places = [Path(os.path.expandvars(p)).expanduser() for p in named.split(os.pathsep) if p]
    for place in places or [Path.home() / ".kube" / "config"]:
        if place.is_file() and os.access(place, os.R_OK):
            return ok("kubeconfig", str(place))
    said = named or "~/.kube/config"
    return warn("kubeconfig", f"{said} cannot be read: set KUBECONFIG in [procedures.environment]")


def _environment(settings: Settings, name: str) -> str:
    given = settings.procedures.environment.get(name)
    return given.get_secret_value() if given is not None else os.environ.get(name, "")


def _reachable(settings: Settings) -> Iterator[Check]:
    targets = [*channel_targets(settings.channels), *source_targets(settings.sources)]
    if "console" in settings.channels.names():
        alone = settings.channels.names() == ("console",)
        said = "console: messages are printed where `tocsin serve` runs"
        yield warn("channels", f"{said}, which wakes nobody: add [channels.email]") if alone else ok("channels", said)
    with ThreadPoolExecutor(max_workers=16) as pool:
        for target, trouble in zip(targets, pool.map(reached, targets), strict=True):
            yield _told(target, trouble)


def _told(target: Target, trouble: str | None) -> Check:
    if trouble is None:
        return ok(target.what, f"{target.name}: {target.host}:{target.port} answers")
    said = (
        f"{target.name}: {target.host}:{target.port} cannot be reached ({trouble}): check the address and the network"
    )
    return fail(target.what, said) if target.needed else warn(target.what, said)


def _calendars(settings: Settings) -> Iterator[Check]:
    named = [name for name, schedule in settings.schedules.items() if schedule.ical is not None]
    if not named:
        return
    try:
        notes = calendar_notes(settings, feeds(settings))
    except SettingsError as exc:
        yield from (fail("calendars", line) for line in exc.problems)
        return
    yield from (warn("calendars", note) for note in notes)
    yield ok("calendars", f"read: {', '.join(named)}")


def _exposure(settings: Settings) -> Iterable[Check]:
    if settings.sources.alerts.token is not None:
        return (ok("alerts", "a token is asked of every alert"),)
    if settings.host in LOOPBACK:
        return (ok("alerts", f"only this machine may send them (listening on {settings.host})"),)
    said = f"listening on {settings.host} without a token: alerts from other machines are refused"
    return (warn("alerts", f'{said}: set [sources.alerts] token = "env:TOCSIN_ALERT_TOKEN"'),)


def _writable(what: str, folder: Path | None) -> Iterable[Check]:
    if folder is None:
        return ()
    nearest = next(p for p in (folder, *folder.parents) if p.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return (ok(what, f"{folder} can be written"),)
    return (fail(what, f"{folder} cannot be written: mkdir -p {folder} and let Tocsin's user write there"),)
