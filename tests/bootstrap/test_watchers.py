"""Every source that the settings name is watched, and what it sees reaches the desk."""

from __future__ import annotations

import asyncio
import smtplib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from engines import World
from engines import until as until_asked
from listening import until
from serving import free_port

from tocsin.bootstrap.hearing import Heard, Hearing
from tocsin.bootstrap.mailing import Letters
from tocsin.bootstrap.watchers import watchers
from tocsin.config import Settings, load
from tocsin.engine.desk import Desk
from tocsin.engine.ingest_log import Direct
from tocsin.incident.alert import Alert
from tocsin.signals.heartbeat import Beats
from tocsin.signals.mail import decode

SETTINGS = """
[people.me]
[roles]
"*" = "me"
[procedures.environment]
PATH = "/nowhere"
[sources.loki]
url = "http://127.0.0.1:9"
[sources.syslog]
listen = "127.0.0.1:0"
[sources.email]
listen = "127.0.0.1:{port}"
[[sources.heartbeats]]
name = "backup"
match = {{alertname = "backup done"}}
[[sources.probes]]
name = "port"
url = "tcp://127.0.0.1:9"
failures = 1
[[sources.logs]]
name = "stacks"
workload = "deployment/backend"
exceptions = true
[[sources.logs]]
name = "loki"
loki = '{{app="x"}}'
pattern = "x"
[[sources.logs]]
name = "syslog"
syslog = "*"
pattern = "x"
"""
MAIL = "Subject: {subject}\r\nFrom: cron@a.example\r\nMessage-ID: <{number}@a.example>\r\n\r\nx\r\n"


def settings(folder: Path, port: int = 0) -> Settings:
    (folder / "tocsin.toml").write_text(SETTINGS.format(port=port), encoding="utf-8")
    return load(folder / "tocsin.toml", environ={})


@asynccontextmanager
async def watched(
    world: World, given: Settings, troubles: dict[str, str | None], hearing: Hearing | None = None
) -> AsyncIterator[None]:
    plant = world.start()
    jobs = watchers(
        given, Direct(plant.desk), clock=world.clock, firing=(), prometheus=None, on_trouble=troubles.__setitem__,
        hearing=hearing or Hearing(),
    )  # fmt: skip
    running = [asyncio.ensure_future(job()) for job in jobs]
    try:
        yield
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await world.end()


async def test_each_source_is_watched_and_says_why_it_cannot_see(tmp_path: Path) -> None:
    world, troubles = World(tmp_path / "t.db"), dict[str, str | None]()
    async with watched(world, settings(tmp_path), troubles):
        desk = world.start().desk
        await until(lambda: {"stacks", "loki"} <= troubles.keys())
        await until_asked(lambda: _has(desk, "port"))
    assert troubles["stacks"] == "cannot start kubectl: No such file or directory"
    assert "Loki cannot be reached" in (troubles["loki"] or "")


async def _has(desk: Desk, name: str) -> bool:
    return [record.alert.name for record in await desk.alerts()] == [name]


async def test_a_mail_opens_an_incident_before_it_is_taken(tmp_path: Path) -> None:
    world, troubles = World(tmp_path / "t.db"), dict[str, str | None]()
    free = free_port()
    async with watched(world, settings(tmp_path, free), troubles):
        await until(lambda: _answers(free))
        await asyncio.to_thread(_send, free, "Disk full")
        assert "Disk full" in [i.title for i in await world.start().desk.incidents()]


def _answers(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def alerts(world: World, subject: str) -> list[Alert]:
    return decode(MAIL.format(subject=subject, number=1).encode(), at=world.clock.now())


async def test_the_mail_of_an_id_that_was_taken_changes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path / "t.db")
    plant = world.start()
    letters = Letters(settings(tmp_path), Direct(plant.desk))
    await letters.take("<1@a.example>", alerts(world, "Disk full"))
    await letters.take("<1@a.example>", alerts(world, "Another"))
    assert [r.alert.name for r in await plant.desk.alerts()] == ["Disk full"]
    await letters.take("", alerts(world, "Another"))
    assert len(await plant.desk.alerts()) == 2
    await world.end()


async def test_a_mail_that_beats_a_heartbeat_opens_nothing(tmp_path: Path) -> None:
    world = World(tmp_path / "t.db")
    plant = world.start()
    await Letters(settings(tmp_path), Direct(plant.desk)).take("<1@a.example>", alerts(world, "backup done"))
    assert await plant.desk.incidents() == []
    assert await Beats(plant.core).last("backup") == world.clock.now()
    await world.end()


async def test_what_a_watch_and_a_mail_bring_is_told_with_what_came_of_it(tmp_path: Path) -> None:
    world, heard, free = World(tmp_path / "t.db"), list[Heard](), free_port()
    hearing = Hearing()
    hearing.listener = heard.append
    async with watched(world, settings(tmp_path, free), {}, hearing):
        await until(lambda: _answers(free) and bool(heard))
        await asyncio.to_thread(_send, free, "Disk full")
    told = {one.sender: one for one in heard}
    assert told["probes/port"].raw.startswith(b"summary: port: tcp://127.0.0.1:9 is failing")
    assert [r.outcome for r in told["probes/port"].receipts] == ["opened"]
    assert (told["email"].what, told["email"].who, told["email"].status) == ("mail to alerts", "cron@a.example", 250)
    assert b"Subject: Disk full" in told["email"].raw
    assert [(a.name, r.outcome) for a, r in zip(told["email"].alerts, told["email"].receipts, strict=True)] == [
        ("Disk full", "opened")
    ]


def _send(port: int, subject: str) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as smtp:
        smtp.sendmail("cron@a.example", ["alerts+x@x.example"], MAIL.format(subject=subject, number=1))
