"""`tocsin runner`: runs steps near the cluster for a server elsewhere, connecting out to it. Opens no port."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from tocsin import __version__
from tocsin.bootstrap.near import Copies, work
from tocsin.cli import opening
from tocsin.cli.client import DEFAULT_URL
from tocsin.cli.complaints import FAILED, complain
from tocsin.cli.logs import set_up_logs
from tocsin.config import Overrides, Settings, SettingsError, default_runbook
from tocsin.procedures.remote.link import Link, NotLetIn, usable
from tocsin.runbook.programs import programs

_MAKE_ONE = "make one with `tocsin token create NAME --role runner` where the server's database is"


class BadArgument(Exception):
    """`str()` says which, and how to mend it."""


def runner(servers: Sequence[str], *, runbooks: Sequence[Path], config: Path | None, token_file: Path | None) -> int:
    """0 after a clean stop, 1 when a server does not take the token (any more), 2 when it cannot begin."""
    set_up_logs()
    try:
        settings = opening.settings(config, Overrides(runbook=runbooks[0] if runbooks else None))
        token = _token(token_file)
        links = [Link(url, token) for url in _addresses(servers)]
        copies = Copies(_own(runbooks, settings), say)
    except opening.Refused as exc:
        return complain(*exc.lines)
    except BadArgument as exc:
        return complain(str(exc))
    except SettingsError as exc:
        return complain(*exc.problems)
    _greet(settings, copies, links)
    try:
        asyncio.run(_until_stopped(settings, copies, links))
    except KeyboardInterrupt:
        return 0
    except NotLetIn as exc:
        return complain(f"the server does not take this runner's token ({exc}): {_MAKE_ONE}", code=FAILED)
    return 0


def say(line: str) -> None:
    """One line for whoever watches the runner, with the time."""
    print(f"{datetime.now().astimezone():%H:%M:%S}  {line}", flush=True)


async def _until_stopped(settings: Settings, copies: Copies, links: Sequence[Link]) -> None:
    working = asyncio.ensure_future(work(settings, copies, links, say=say))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, working.cancel)
    with suppress(asyncio.CancelledError):
        await working


def _greet(settings: Settings, copies: Copies, links: Sequence[Link]) -> None:
    print(f"Tocsin {__version__}, runner for {', '.join(link.url for link in links)}", flush=True)
    if settings.sources.prometheus is None:
        say("no Prometheus is set here: queries are asked by the server, or not at all")
    given = settings.procedures.environment.get("PATH")
    path = given.get_secret_value() if given is not None else os.environ.get("PATH")
    for book in copies.runbooks:
        for name, line in sorted(programs(book).items()):
            if shutil.which(name, path=path) is None:
                say(f"{name} is not on PATH ({book.file}:{line}): its steps will fail here")


def _token(file: Path | None) -> str:
    """The runner's token. Raises BadArgument."""
    try:
        token = file.read_text(encoding="ascii").strip() if file else os.environ.get("TOCSIN_TOKEN", "").strip()
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it holds characters that no token has"
        raise BadArgument(f"{file}: {why}: name the file that holds the runner's token") from None
    if not token or not token.isascii() or not token.isprintable():
        where = f"{file} holds no token" if file else "TOCSIN_TOKEN holds no token"
        raise BadArgument(f"{where}: {_MAKE_ONE}")
    return token


def _addresses(servers: Sequence[str]) -> list[str]:
    """The servers' addresses, each once. Raises BadArgument."""
    named = list(dict.fromkeys(servers)) or [os.environ.get("TOCSIN_URL", "").strip() or DEFAULT_URL]
    for url in named:
        try:
            usable(url)
        except ValueError as exc:
            raise BadArgument(f"--server {url!r}: {exc}" if "@" not in url else f"--server: {exc}") from None
    return named


def _own(runbooks: Sequence[Path], settings: Settings) -> list[Path]:
    """Its own copies. Raises BadArgument when none was named: the example would match no server's."""
    if runbooks:
        return [path.absolute() for path in runbooks]
    if settings.runbook == default_runbook():
        raise BadArgument("name this runner's own copy of the runbook: --runbook FILE")
    return [settings.runbook, *(other.file for other in settings.runbooks.values())]
