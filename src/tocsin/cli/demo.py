"""`tocsin demo`: a practice production broken, and Tocsin beside it, from the alert to the postmortem."""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
import sys
import tempfile
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from pathlib import Path

from tocsin.bootstrap import House, compose
from tocsin.cli import opening
from tocsin.cli.complaints import FAILED, complain
from tocsin.cli.demo_player import Player, StoryError
from tocsin.cli.logs import set_up_logs
from tocsin.cli.serve import PortTaken, greet, listen, run
from tocsin.config import Settings, SettingsError, default_runbook
from tocsin.lab.alerting import Alerting, Receiver
from tocsin.lab.errors import LabError
from tocsin.lab.production import Production

HURRY = 180
"""With --fast a minute of the runbook lasts a third of a second."""
BREAK_AFTER = 2.0
_LENGTH = re.compile(r"(?P<low>\d+)(?:(?P<dash>\s*[-–]\s*)(?P<high>\d+))?\s(?P<unit>min|minutes?|hours?)\b")
_LONGEST_HURRIED = timedelta(hours=24)


def demo(*, headless: bool, fast: bool, port: int) -> int:
    """0 after a clean stop, or, headless, when the incident was resolved and verified; 1 when it was not."""
    set_up_logs()
    try:
        listener = listen("127.0.0.1", port)
    except PortTaken as exc:
        return complain(str(exc))
    with tempfile.TemporaryDirectory(prefix="tocsin-demo-") as folder, listener:
        try:
            return asyncio.run(_demo(Path(folder), listener, headless=headless, fast=fast))
        except KeyboardInterrupt:
            return 0
        except LabError as exc:
            return complain(f"the practice production: {exc}", code=FAILED)
        except opening.Refused as exc:
            return complain(*exc.lines)
        except SettingsError as exc:
            return complain(*str(exc).splitlines())


async def _demo(folder: Path, listener: socket.socket, *, headless: bool, fast: bool) -> int:
    port = listener.getsockname()[1]
    token = secrets.token_urlsafe(16)
    async with AsyncExitStack() as stack:
        production = Production(folder / "production")
        await asyncio.to_thread(production.start)
        stack.push_async_callback(asyncio.to_thread, production.stop)
        settings = opening.settings(_write_settings(folder, production, port=port, token=token, fast=fast))
        store = opening.store(settings, serving=True)
        stack.callback(store.close)
        house = compose(settings, store=store)
        alerting = Alerting(
            production.error_ratio,
            Receiver(f"http://127.0.0.1:{port}/api/v1/alerts/alertmanager", token),
            prometheus_url=production.prometheus_url,
        )
        serving = asyncio.create_task(run(house, listener, ready=lambda: _greet(settings, house, headless=headless)))
        alerting.start()
        stack.push_async_callback(asyncio.to_thread, alerting.stop)
        breaking = asyncio.create_task(_break(production))
        stack.callback(breaking.cancel)
        if not headless:
            _explain(fast)
            with suppress(asyncio.CancelledError):
                await serving
            return 0
        return await _play(house, production, serving, url=f"http://127.0.0.1:{port}")


async def _play(house: House, production: Production, serving: asyncio.Task[None], *, url: str) -> int:
    """The responder played too, against the server as anybody would."""
    player = Player(house, url=url)
    playing = asyncio.create_task(player.play())
    try:
        await asyncio.wait({playing, serving}, return_when=asyncio.FIRST_COMPLETED)
        if not playing.done():
            return complain("the server stopped before the story ended", code=FAILED)
        playing.result()
        restored = await asyncio.to_thread(production.version)
        if restored != "v1":
            return complain(f"the rollback left version {restored} in production", code=FAILED)
        print("The incident was resolved and verified; production runs v1 again.", flush=True)
        return 0
    except StoryError as exc:
        return complain(f"the story broke off: {exc}", code=FAILED)
    finally:
        for task in (playing, serving):
            task.cancel()
        await asyncio.gather(playing, serving, return_exceptions=True)


async def _break(production: Production) -> None:
    await asyncio.sleep(BREAK_AFTER)
    print("\n>>> Somebody deploys version v2 of the backend. It is not a good one.\n", flush=True)
    await asyncio.to_thread(production.deploy, "v2")


def _explain(fast: bool) -> None:
    pace = " The runbook's minutes are a third of a second here." if fast else ""
    print(
        f"In a moment a bad version of the backend is deployed, and an alert will come.{pace}\n"
        "Open the sign-in link, then the incident; pages appear below, each with a link to acknowledge it.\n"
        "Ctrl-C ends everything; nothing is left behind.\n",
        flush=True,
    )


def _greet(settings: Settings, house: House, *, headless: bool) -> None:
    greet(settings, house)
    if not headless:
        token = f"$({sys.argv[0]} token create Ana --role commander --database sqlite:///{house.database})"
        print(
            f'From a terminal, as Ana:\n  export TOCSIN_URL={settings.public_url} TOCSIN_TOKEN="{token}"\n'
            f"  {sys.argv[0]} list",
            flush=True,
        )


def _write_settings(folder: Path, production: Production, *, port: int, token: str, fast: bool) -> Path:
    """Settings as a team would write them; only the steps' environment leads to the practice production."""
    runbook = default_runbook()
    if fast:
        text = runbook.read_text(encoding="utf-8")
        runbook = folder / runbook.name
        runbook.write_text(hurried(text), encoding="utf-8")
    environment = "\n".join(f"{name} = {_quoted(value)}" for name, value in production.environment().items())
    (folder / "alert-token").write_text(token, encoding="utf-8")
    path = folder / "tocsin.toml"
    path.write_text(
        _SETTINGS.format(
            runbook=_quoted(str(runbook)),
            database=_quoted(f"sqlite:///{folder / 'tocsin.db'}"),
            port=port,
            immediate="15s" if fast else "5m",
            prometheus=_quoted(production.prometheus_url),
            environment=environment,
        ),
        encoding="utf-8",
    )
    return path


def hurried(runbook: str) -> str:
    """The same document with every length below a day `HURRY` times shorter, and `watch` every second."""

    def shorter(found: re.Match[str]) -> str:
        unit = 3600 if found["unit"].startswith("hour") else 60
        if timedelta(seconds=int(found["low"]) * unit) >= _LONGEST_HURRIED:
            return found[0]
        low = max(1, int(found["low"]) * unit // HURRY)
        high = f"{found['dash']}{max(1, int(found['high']) * unit // HURRY)}" if found["high"] else ""
        return f"{low}{high} seconds"

    return re.sub(r"watch -n \d+", "watch -n 1", _LENGTH.sub(shorter, runbook))


def _quoted(text: str) -> str:
    """A TOML literal: paths and addresses of this demo hold no single quote."""
    return f"'{text}'"


_SETTINGS = """\
runbook = {runbook}
database = {database}
public_url = "http://127.0.0.1:{port}"
port = {port}

[severity]
critical = "SEV1"
warning = "SEV3"
default = "SEV3"

[acknowledge]
immediate = "{immediate}"

[roles]
"On-call" = "ana"
"DevOps Lead" = "dana"
"Engineering Manager" = "emil"
"CTO" = "cyril"

[people.ana]
name = "Ana"
phone = "+420 555 0101"
[people.dana]
name = "Dana"
phone = "+420 555 0102"
[people.emil]
name = "Emil"
[people.cyril]
name = "Cyril"

[services.backend]
match = {{service = "backend"}}
namespace = "production"
workload = "deployment/backend"

[sources.alerts]
token = "file:alert-token"
[sources.prometheus]
url = {prometheus}

[channels.console]
enabled = true

[status_page]
title = "QAWave"

[procedures.environment]
{environment}
"""
