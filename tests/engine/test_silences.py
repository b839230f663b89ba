"""An alert born in a silence disturbs nobody; one that still fires when it ends is an incident then, once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from engines import ANA, START, Plant, World, alert, e, paged

from tocsin.engine.releasing import CHUNK, Releaser
from tocsin.engine.silencing import Silencing
from tocsin.engine.triage import Inhibition, Route, Triage
from tocsin.incident.alert import Alert
from tocsin.incident.matchers import parse_all
from tocsin.incident.silences import Silence, Window

BACKEND = parse_all(['service="backend"'])
HOUR = timedelta(hours=1)


@dataclass
class Quiet:
    """A process with rules, and the watch that lets alerts go."""

    plant: Plant
    triage: Triage = field(default_factory=Triage)

    def __post_init__(self) -> None:
        self.plant.desk.triage = self.triage
        self.releaser = Releaser(self.plant.core, self.triage, wake=lambda: None, on_trouble=lambda *_: None)

    async def silence(self, matcher: str = 'service="backend"', *, begins: timedelta = timedelta()) -> Silence:
        now = self.plant.clock.now() + begins
        return await Silencing(self.plant.core).add(
            ANA, [matcher], starts_at=now, ends_at=now + HOUR, comment="maintenance"
        )

    async def take(self, *alerts: Alert) -> list[str]:
        outcomes = [r.outcome for r in await self.plant.desk.receive(alerts)]
        await self.plant.turn()
        return outcomes

    async def let_go(self) -> int:
        found = await self.releaser.look()
        await self.plant.turn()
        return found


async def test_an_alert_born_in_a_silence_pages_nobody_until_it_ends(world: World, plant: Plant) -> None:
    quiet = Quiet(plant)
    await quiet.silence()
    assert await quiet.take(alert(), alert(pod="b"), alert(service="shop")) == ["held", "held", "opened"]
    assert [i.service for i in await plant.desk.incidents()] == ["shop"]
    world.clock.move(minutes=59, seconds=59)
    assert await quiet.let_go() == 0
    world.clock.move(seconds=1)
    assert await quiet.let_go() == 2
    assert (await plant.desk.incident("2")).alerts_firing == 2
    assert len(await plant.events(e.Paged, "2")) == 1


async def test_what_stopped_before_the_end_never_pages(world: World, plant: Plant) -> None:
    quiet = Quiet(plant)
    await quiet.silence()
    assert await quiet.take(alert()) == ["held"]
    assert await quiet.take(alert("resolved", ended=5)) == ["recorded"]
    world.clock.move(hours=1)
    assert await quiet.let_go() == 0
    assert await plant.desk.incidents() == []


async def test_a_restart_forgets_nothing_and_two_replicas_page_once(world: World) -> None:
    quiet = Quiet(world.start())
    await quiet.silence()
    assert await quiet.take(alert()) == ["held"]
    world.clock.move(hours=2)
    plants = [await world.restart(), world.start()]
    both = [Quiet(plant) for plant in plants]
    assert sum(await asyncio.gather(*(q.let_go() for q in both))) == 1
    assert paged(world.mail) == ["ana"]
    assert [i.number for i in await plants[0].desk.incidents()] == [1]


async def test_a_copy_resent_in_a_silence_stays_held(world: World, plant: Plant) -> None:
    quiet = Quiet(plant)
    await quiet.silence()
    assert await quiet.take(alert()) + await quiet.take(alert(summary="another")) == ["held", "repeated"]
    world.clock.move(hours=1)
    assert [await quiet.let_go(), await quiet.let_go()] == [1, 0]


async def test_a_silence_ended_early_lets_go_and_a_second_one_holds_on(world: World, plant: Plant) -> None:
    quiet = Quiet(plant)
    first = await quiet.silence()
    await quiet.take(alert())
    await quiet.silence('alertname=~"Backend.*"')
    ended = await Silencing(plant.core).expire(first.id)
    assert ended.status(world.clock.now()) == "expired"
    assert await quiet.let_go() == 1
    assert await plant.desk.incidents() == []
    world.clock.move(hours=1)
    assert await quiet.let_go() == 1
    assert len(await plant.desk.incidents()) == 1


async def test_a_silence_of_later_holds_nothing_now(world: World, plant: Plant) -> None:
    quiet = Quiet(plant)
    await quiet.silence(begins=timedelta(seconds=1))
    assert await quiet.take(alert()) == ["opened"]
    world.clock.move(seconds=1)
    assert await quiet.take(alert(service="backend", pod="b")) == ["held"]


async def test_an_alert_of_an_open_incident_stays_its_own_in_a_silence(world: World, plant: Plant) -> None:
    quiet = Quiet(plant)
    assert await quiet.take(alert()) == ["opened"]
    await quiet.silence()
    await quiet.take(alert("resolved", ended=1))
    assert await quiet.take(alert(started=2)) == ["attached"]


async def test_a_storm_in_a_window_is_let_go_in_parts(world: World, plant: Plant) -> None:
    window = Window("move", BACKEND, starts_at=START, ends_at=START + HOUR)
    quiet = Quiet(plant, Triage(windows=(window,)))
    many = CHUNK + 1
    assert set(await quiet.take(*(alert(pod=str(n)) for n in range(many)))) == {"held"}
    world.clock.move(hours=1)
    assert await quiet.let_go() == many
    assert (await plant.desk.incident("1")).alerts_total == many
    assert paged(world.mail) == ["ana"]


async def test_a_route_names_service_severity_and_who_is_paged(world: World, plant: Plant) -> None:
    routes = (
        Route(1, parse_all(['pod="test"']), incident=False),
        Route(2, BACKEND, service="checkout", severity="SEV2", role="CTO"),
        Route(3, parse_all(['alertname=~".+"']), service="never reached"),
    )
    quiet = Quiet(plant, Triage(routes=routes))
    assert await quiet.take(alert(pod="test"), alert()) == ["recorded", "opened"]
    incident = await plant.desk.incident("1")
    assert (incident.service, incident.severity) == ("checkout", "SEV2")
    assert incident.severity_reason == "suggested: [[routes]] entry 2"
    assert paged(world.mail) == ["emil"]
    assert await plant.refolded() == incident


async def test_an_inhibited_alert_waits_for_the_end_of_its_source(world: World, plant: Plant) -> None:
    rule = Inhibition(1, parse_all(['alertname="NodeDown"']), parse_all(['severity="warning"']), ("service",))
    quiet = Quiet(
        plant, Triage(routes=(Route(1, parse_all(['alertname="NodeDown"']), service="node"),), inhibitions=(rule,))
    )
    slow, other = alert(name="Slow", severity="warning"), alert(severity="warning", service="shop")
    assert await quiet.take(alert(name="NodeDown"), slow, other) == ["opened", "held", "opened"]
    assert await quiet.let_go() == 0
    await quiet.take(alert("resolved", name="NodeDown", ended=1))
    assert await quiet.let_go() == 1
    assert [i.service for i in await plant.desk.incidents(over=False)] == ["backend", "shop", "node"]
