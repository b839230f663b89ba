"""`tocsin serve`: the service, from settings to a clean stop."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import uvicorn

from tocsin import __version__
from tocsin.bootstrap import House, compose
from tocsin.channels import http
from tocsin.cli import opening
from tocsin.cli.complaints import complain
from tocsin.cli.logs import set_up_logs
from tocsin.config import Overrides, Settings, SettingsError
from tocsin.incident.policy import Role
from tocsin.runbook.model import Level
from tocsin.web.app import create_app
from tocsin.web.pages.rendering import compile_template, template_names
from tocsin.web.publishing import Publisher

STOP_SECONDS = 3
COLLECTED_AFTER = (50_000, 20, 20)
"""Python looks for garbage in circles after 700 new objects; a transaction in a storm makes more and leaves none."""
WARM_SECONDS = 0.1


class PortTaken(Exception):
    pass


def serve(
    config: Path | None, *, runbook: Path | None, database: str | None, host: str | None, port: int | None
) -> int:
    """Serves until SIGINT or SIGTERM; 0 after a clean stop, 2 when it cannot start."""
    overrides = Overrides(runbook=runbook, database=database, host=host, port=port)
    set_up_logs()
    try:
        settings = opening.settings(config, overrides)
        listener = listen(settings.host, settings.port)
        store = opening.store(settings, serving=True)
    except opening.Refused as exc:
        return complain(*exc.lines)
    except PortTaken as exc:
        return complain(str(exc))
    try:
        house = compose(settings, store=store)
        with suppress(KeyboardInterrupt):
            asyncio.run(run(house, listener, ready=lambda: greet(settings, house)))
    except SettingsError as exc:
        return complain(*str(exc).splitlines())
    finally:
        store.close()
        listener.close()
    return 0


async def run(house: House, listener: socket.socket, *, ready: Callable[[], None] = lambda: None) -> None:
    """Runs the house behind its pages until a signal says stop."""
    app = create_app(house)
    folder = house.settings.status_page.publish
    if folder is not None:
        house.background = (*house.background, Publisher(app, house, folder).run)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=STOP_SECONDS,
        server_header=False,
        proxy_headers=False,
    )
    app.behind_proxies(config.forwarded_allow_ips)
    server = _Server(config)
    collect_seldom()
    await house.start()
    ready()
    warming = asyncio.create_task(warm(house))  # the first page need not wait for it
    invited = asyncio.create_task(invite(house))
    server.install_stop(house.let_go)
    try:
        await server.serve(sockets=[listener])
    finally:
        invited.cancel()
        warming.cancel()
        await house.stop()


def collect_seldom() -> None:
    """Has Python look for garbage as a server needs it."""
    gc.freeze()  # what stands now stands to the end: it need not be looked through again
    gc.set_threshold(*COLLECTED_AFTER)
    gc.enable()


class _Server(uvicorn.Server):
    """Live streams never end by themselves: they are ended when the server is asked to stop, so that it can."""

    def install_stop(self, before_stop: Callable[[], None]) -> None:
        self._before_stop = before_stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._before_stop()
        await super().shutdown(sockets)


async def warm(house: House) -> None:
    """Loads what the first page out needs, then compiles the pages' templates while nothing else is to do."""
    with suppress(OSError):  # certificates that cannot be read are told by the first post
        await asyncio.to_thread(http.load)
    for name in template_names():
        while house.engine.held_back or house.desk.core.busy:  # noqa: ASYNC110  nothing tells when a storm is over
            await asyncio.sleep(WARM_SECONDS)
        await asyncio.to_thread(compile_template, name)


async def invite(house: House) -> None:
    """At the very first start, prints a link that signs in once: there is no other way in yet."""
    if await house.credentials.nobody_yet():
        secret = await house.credentials.invite("admin", Role.ADMIN)
        link = f"{house.settings.public_url.rstrip('/')}/signin?once={secret}"
        print(f"Sign in once, within a day, with this link:\n  {link}", flush=True)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises PortTaken with the remedy."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # the protocol is named because asyncio turns off Nagle's delay (40 ms an answer) only where it reads TCP there
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
    except (OSError, OverflowError) as exc:
        found.close()
        why = getattr(exc, "strerror", None) or str(exc)
        raise PortTaken(f"cannot listen on {host}:{port}: {why}: choose another with --port") from exc
    return found


def greet(settings: Settings, house: House) -> None:
    """Says what runs and where, on stdout."""
    book = house.reading.runbook
    warnings = sum(f.level is Level.WARNING for f in house.reading.findings)
    said = f" ({warnings} warnings: tocsin check {book.file})" if warnings else ""
    print(f"Tocsin {__version__}", flush=True)
    print(f"  runbook   {book.file}: {len(book.severities)} severities, {len(book.procedures)} procedures{said}")
    for name, edition in house.others.items():
        other = edition.reading.runbook
        print(
            f"            {other.file} ({name}): {len(other.severities)} severities, {len(other.procedures)} procedures"
        )
    print(f"  database  {house.database}")
    print(f"  web       {settings.public_url}", flush=True)
    sys.stdout.flush()
