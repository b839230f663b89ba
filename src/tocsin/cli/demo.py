"""`tocsin demo`: a practice production broken, and Tocsin beside it, from the alert to the postmortem."""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from tocsin.bootstrap import House
from tocsin.cli import opening
from tocsin.cli.complaints import FAILED, complain
from tocsin.cli.demo_house import Beside, Wish, beside, interrupt_when_terminated
from tocsin.cli.demo_player import Player, StoryError
from tocsin.cli.logs import set_up_logs
from tocsin.cli.serve import PortTaken, greet, listen
from tocsin.config import Settings, SettingsError
from tocsin.lab.errors import LabError
from tocsin.lab.folders import throwaway
from tocsin.lab.production import Production
from tocsin.lab.scenarios.releases import BAD_DEPLOY

BREAK_AFTER = 2.0


def demo(*, headless: bool, fast: bool, port: int) -> int:
    """0 after a clean stop, or, headless, when the incident was resolved and verified; 1 when it was not."""
    set_up_logs()
    try:
        listener = listen("127.0.0.1", port)
    except PortTaken as exc:
        return complain(str(exc))
    interrupt_when_terminated()
    with throwaway() as folder, listener:
        try:
            return asyncio.run(_demo(folder, listener, headless=headless, fast=fast))
        except KeyboardInterrupt:
            return 0
        except LabError as exc:
            return complain(f"the practice production: {exc}", code=FAILED)
        except opening.Refused as exc:
            return complain(*exc.lines)
        except SettingsError as exc:
            return complain(*str(exc).splitlines())


async def _demo(folder: Path, listener: socket.socket, *, headless: bool, fast: bool) -> int:
    def greeted(settings: Settings, house: House) -> None:
        _greet(settings, house, headless=headless)

    async with AsyncExitStack() as stack:
        production = await stack.enter_async_context(Production(folder / "production"))
        here = await stack.enter_async_context(beside(production, listener, Wish(fast=fast), ready=greeted))
        breaking = asyncio.create_task(_break(production))
        stack.callback(breaking.cancel)
        if not headless:
            _explain(fast)
            with suppress(asyncio.CancelledError):
                await here.serving
            return 0
        return await _play(here)


async def _play(here: Beside) -> int:
    """The responder played too, against the server as anybody would."""
    playing = asyncio.create_task(Player(here.house, url=here.url).play())
    try:
        await asyncio.wait({playing, here.serving}, return_when=asyncio.FIRST_COMPLETED)
        if not playing.done():
            return complain("the server stopped before the story ended", code=FAILED)
        playing.result()
        restored = await asyncio.to_thread(here.production.version)
        if restored != "v1":
            return complain(f"the rollback left version {restored} in production", code=FAILED)
        print("The incident was resolved and verified; production runs v1 again.", flush=True)
        return 0
    except StoryError as exc:
        return complain(f"the story broke off: {exc}", code=FAILED)
    finally:
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)


async def _break(production: Production) -> None:
    await asyncio.sleep(BREAK_AFTER)
    for step in BAD_DEPLOY.steps:
        print(f"\n>>> {step.tells}\n", flush=True)
        await asyncio.to_thread(step.act, production)


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
