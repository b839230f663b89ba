"""Tocsin beside a practice production, on a throw-away database: what `tocsin demo` and `tocsin drill` share."""

from __future__ import annotations

import asyncio
import re
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from tocsin.bootstrap import House, compose
from tocsin.cli import opening
from tocsin.cli.serve import run
from tocsin.config import Settings, default_runbook
from tocsin.lab.alerting import Alerting, Receiver, Rule
from tocsin.lab.production import Production

HURRY = 180
"""With --fast a minute of the runbook lasts a third of a second."""
_LENGTH = re.compile(r"(?P<low>\d+)(?:(?P<dash>\s*[-–]\s*)(?P<high>\d+))?\s(?P<unit>min|minutes?|hours?)\b")
_LONGEST_HURRIED = timedelta(hours=24)


class Wish(NamedTuple):
    """How the house is to be. `drill` is the name of the drill, or empty; alerts carry it."""

    rules: tuple[Rule, ...] = (Rule(),)
    fast: bool = False
    drill: str = ""


class Beside(NamedTuple):
    """A serving house and the practice production beside it."""

    production: Production
    house: House
    settings: Settings
    serving: asyncio.Task[None]
    alerting: tuple[Alerting, ...]
    url: str


@asynccontextmanager
async def beside(
    production: Production,
    listener: socket.socket,
    wish: Wish,
    *,
    ready: Callable[[Settings, House], None],
) -> AsyncIterator[Beside]:
    """A house beside a production that has been started; both are stopped afterwards."""
    port = listener.getsockname()[1]
    token = secrets.token_urlsafe(16)
    settings = opening.settings(_write_settings(production, wish, port=port, token=token))
    store = opening.store(settings, serving=True)
    alerting: tuple[Alerting, ...] = ()
    try:
        house = compose(settings, store=store)
        receiver = Receiver(f"http://127.0.0.1:{port}/api/v1/alerts/alertmanager", token)
        alerting = tuple(_alerting(production, rule._replace(drill=wish.drill), receiver) for rule in wish.rules)
        serving = asyncio.create_task(run(house, listener, ready=lambda: ready(settings, house)))
        for each in alerting:
            each.start()
        try:
            yield Beside(production, house, settings, serving, alerting, f"http://127.0.0.1:{port}")
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
    finally:
        for each in alerting:
            await asyncio.to_thread(each.stop)
        store.close()


def interrupt_when_terminated() -> None:
    """A `kill` is as a Ctrl-C from now on: everything is ended and cleared away."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


def _alerting(production: Production, rule: Rule, receiver: Receiver) -> Alerting:
    return Alerting(
        lambda: production.measure(rule.expression), receiver, rule=rule, prometheus_url=production.prometheus_url
    )


def _write_settings(production: Production, wish: Wish, *, port: int, token: str) -> Path:
    """Settings as a team would write them; only the steps' environment leads to the practice production."""
    folder = production.state_dir.parent
    runbook = default_runbook()
    if wish.fast:
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
            immediate="15s" if wish.fast else "5m",
            prometheus=_quoted(production.prometheus_url),
            environment=environment,
            evidence=_evidence(production),
            title="QAWave (drill)" if wish.drill else "QAWave",
        ),
        encoding="utf-8",
    )
    return path


def _evidence(production: Production) -> str:
    """What is asked to answer the decision tree: everything the backend needs, so that it is complete."""
    lines = ["[evidence]", "complete = true", "every = '1s'", "[[evidence.redis]]", "name = 'redis'"]
    lines += [f"url = {_quoted(production.redis_url)}", "workload = 'redis'"]
    if production.shape.database:
        lines += ["[[evidence.postgresql]]", "name = 'postgresql'", f"url = {_quoted(production.database_url)}"]
        lines.append("workload = 'postgresql'")
    if production.shape.downstream:
        address = f"127.0.0.1:{production.service_port('payments')}"
        lines += ["[[evidence.dependencies]]", "name = 'payments'", f"address = {_quoted(address)}"]
        lines.append("workload = 'payments'")
    return "\n".join(lines)


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
    """A TOML literal: paths and addresses of this house hold no single quote."""
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

{evidence}

[channels.console]
enabled = true

[status_page]
title = "{title}"

[procedures.environment]
{environment}
"""
