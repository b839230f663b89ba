"""`tocsin drill`: break the practice production on purpose, respond, and see how it went."""

from __future__ import annotations

import asyncio
import difflib
import json
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from subprocess import PIPE
from typing import Any, NamedTuple

from tocsin.bootstrap import House
from tocsin.cli import opening
from tocsin.cli.complaints import FAILED, INTERRUPTED, complain
from tocsin.cli.demo_house import Beside, Wish, beside, interrupt_when_terminated
from tocsin.cli.demo_player import StoryError
from tocsin.cli.drill_responder import Responder
from tocsin.cli.drill_score import Score, as_json, card, summary
from tocsin.cli.logs import set_up_logs
from tocsin.cli.serve import PortTaken, greet, listen
from tocsin.config import Settings, SettingsError
from tocsin.incident.policy import Role
from tocsin.lab.apps.database import programs
from tocsin.lab.errors import LabError
from tocsin.lab.folders import throwaway
from tocsin.lab.production import Production
from tocsin.lab.scenarios import SCENARIOS
from tocsin.lab.scenarios.model import Scenario

_ON_A_LIFELINE = "from tocsin.lab import lifeline; lifeline.hold(); from tocsin.cli.main import main; main()"
"""A drill among several: it ends with the process that runs them all, whichever way that ends."""
BREAK_AFTER = 2.0
"""Seconds in which Tocsin sees it well."""
ENDED_S = 3600.0
"""The longest drill that a person plays."""


class Run(NamedTuple):
    """How a drill is to be run. The postmortem is kept in `keep`."""

    auto: bool = False
    fast: bool = True
    port: int = 0
    keep: Path = Path("drills")
    as_json: bool = False
    jobs: int = 1
    prometheus: bool = True


def listed(*, twins: bool) -> int:
    """Print the scenarios; with `twins` theirs too."""
    found = [each for each in SCENARIOS.values() if twins or not each.twin]
    width = max(len(each.name) for each in found)
    for each in found:
        print(f"{each.name:<{width}}  {each.tells}")
    return 0


def run(names: list[str], wish: Run) -> int:
    """Run the drills one after the other: 0 when all passed, 1 when one did not, 2 when one is not known."""
    names = list(SCENARIOS) if names == ["all"] else names
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        return complain(
            f"there is no drill {unknown[0]!r}{_meant(unknown[0])}: `tocsin drill list --twins` names them all"
        )
    if not wish.auto and len(names) > 1:
        return complain("a person plays one drill at a time; add --auto to run several")
    if len(names) > 1:
        return _many(names, wish)
    set_up_logs()
    score = _one(SCENARIOS[names[0]], wish)
    if isinstance(score, int):
        return score
    if wish.as_json:
        print(json.dumps([as_json(score)], indent=1))
    return 0 if score.passed else FAILED


def _meant(name: str) -> str:
    near = difflib.get_close_matches(name, SCENARIOS, n=1)
    return f". Did you mean {near[0]!r}?" if near else ""


def _many(names: list[str], wish: Run) -> int:
    """Each drill in a process of its own, `jobs` at a time; then what came of all of them."""
    pool = ThreadPoolExecutor(wish.jobs)
    try:
        scores = [each for found in pool.map(lambda name: _apart(name, wish), names) for each in found]
    except KeyboardInterrupt:  # those that run have had it too, and end by themselves
        pool.shutdown(cancel_futures=True)
        return complain("the drills were stopped", code=INTERRUPTED)
    print(json.dumps(scores, indent=1) if wish.as_json else summary(scores), flush=True)
    missing = len(names) - len(scores)
    if missing:
        print(f"{missing} of {len(names)} drills could not be run", file=sys.stderr)
    return 0 if not missing and all(each["passed"] for each in scores) else FAILED


def _apart(name: str, wish: Run) -> list[dict[str, Any]]:
    speed = [] if wish.fast else ["--slow"]
    arguments = ["drill", "run", name, "--auto", "--json", "--keep", str(wish.keep), *speed]
    command = [sys.executable, "-c", _ON_A_LIFELINE, *arguments]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as errors,
        subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=errors, text=True) as run,
    ):
        output = run.stdout.read() if run.stdout else ""  # `communicate` would cut the lifeline at once
        errors.seek(0)
        problem = errors.read()
    start = output.rfind("\n[\n") + 1
    try:
        found: list[dict[str, Any]] = json.loads(output[start:])
    except ValueError:
        print(f"{name}: {problem.strip()[-400:] or 'it broke off'}", file=sys.stderr, flush=True)
        return []
    word = "passed" if found[0]["passed"] else "not passed"
    print(f"{name}: {word}{', ' + found[0]['problem'] if found[0]['problem'] else ''}", file=sys.stderr, flush=True)
    return found


def _one(scenario: Scenario, wish: Run) -> Score | int:
    if scenario.needs == "postgres" and programs() is None:
        return complain(f"{scenario.name} needs PostgreSQL (initdb and postgres on PATH)", code=FAILED)
    try:
        listener = listen("127.0.0.1", wish.port)
    except PortTaken as exc:
        return complain(str(exc))
    interrupt_when_terminated()
    with throwaway() as folder, listener:
        try:
            score = asyncio.run(_drill(folder, listener, scenario, wish))
        except KeyboardInterrupt:
            return complain("the drill was stopped", code=INTERRUPTED)
        except LabError as exc:
            return complain(f"the practice production: {exc}", code=FAILED)
        except StoryError as exc:
            return complain(f"the drill broke off: {exc}", code=FAILED)
        except opening.Refused as exc:
            return complain(*exc.lines)
        except SettingsError as exc:
            return complain(*str(exc).splitlines())
    print(card(score, scenario), file=sys.stderr if wish.as_json else sys.stdout, flush=True)
    return score


async def _drill(folder: Path, listener: socket.socket, scenario: Scenario, wish: Run) -> Score:
    def greeted(settings: Settings, house: House) -> None:
        if not wish.auto:
            greet(settings, house)

    async with AsyncExitStack() as stack:
        production = Production(
            folder / "production", shape=scenario.shape, load_per_second=scenario.load, prometheus=wish.prometheus
        )
        await stack.enter_async_context(production)
        await asyncio.to_thread(production.wait_until_measured)
        await asyncio.sleep(scenario.settle)
        rules = Wish(rules=scenario.rules, fast=wish.fast, drill=scenario.name)
        here = await stack.enter_async_context(beside(production, listener, rules, ready=greeted))
        breaking = asyncio.create_task(_break(here, scenario))
        stack.callback(breaking.cancel)
        return await _respond(here, scenario, wish)


async def _invite(here: Beside, scenario: Scenario) -> None:
    """Tell a person how to come in: the drill's own token would keep the server from doing so itself."""
    secret = await here.house.credentials.invite("Ana", Role.COMMANDER)
    print(
        f"\nDrill {scenario.name}: something will go wrong. You are Ana, who is on call. Sign in with this link:\n"
        f"  {here.url}/signin?once={secret}\nRespond until the incident is resolved; Ctrl-C ends the drill.\n",
        flush=True,
    )


async def _break(here: Beside, scenario: Scenario) -> None:
    await asyncio.sleep(BREAK_AFTER)
    for step in scenario.steps:
        await asyncio.sleep(step.after)
        print(f">>> {step.tells}", file=sys.stderr, flush=True)
        await asyncio.to_thread(step.act, here.production)


async def _respond(here: Beside, scenario: Scenario, wish: Run) -> Score:
    responder = Responder(here, scenario)
    problem = ""
    try:
        if wish.auto:
            async with asyncio.timeout(scenario.limit + 60):
                await responder.respond()
        else:
            await _invite(here, scenario)
            await responder.watch(seconds=ENDED_S)
    except StoryError as exc:
        problem = str(exc)
    except TimeoutError:
        problem = f"not ended within {scenario.limit + 60:.0f} s"
    incident, entries, count, postmortem = await responder.report()
    _keep(wish.keep, scenario, postmortem)
    return responder.score(incident, entries, count)._replace(problem=problem)


def _keep(folder: Path, scenario: Scenario, postmortem: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    path = folder / f"{scenario.name.replace('/', '-')}-{stamp}.md"
    path.write_text(f"> This was a drill: {scenario.tells}\n\n{postmortem}", encoding="utf-8")
    print(f"The postmortem is kept in {path}", file=sys.stderr, flush=True)
