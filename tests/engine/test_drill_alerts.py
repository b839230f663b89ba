"""An alert that only practises: marked wherever it is told, kept apart from what is real, and counted nowhere."""

from __future__ import annotations

import pytest
from engines import ANA, World, alert, document, sent
from msgspec.structs import replace as changed

from tocsin.engine.triage import Inhibition
from tocsin.incident.alert import Alert
from tocsin.incident.matchers import parse_all
from tocsin.review.markdown import as_markdown
from tocsin.review.postmortem import postmortem
from tocsin.statuspage.summary import description
from tocsin.statuspage.view import public_view


def practised(name: str = "Backend5xxRateHigh", service: str = "backend") -> Alert:
    """The usual alert of another pod, labelled as a drill."""
    real = alert(name=name, service=service, pod="practised")
    return changed(real, labels=real.labels | {"drill": "bad-deploy"})


@pytest.mark.parametrize(
    ("label", "summary", "drill"),
    [
        ("bad-deploy", "5xx", True),
        ("true", "5xx", True),
        ("false", "5xx", False),
        ("no", "5xx", False),
        ("", "5xx", False),
        ("", "DRILL: 5xx", True),
        ("", "Drilling machine stuck", False),
    ],
)
def test_a_label_or_the_first_word_makes_an_alert_a_drill(label: str, summary: str, drill: bool) -> None:
    real = alert(summary=summary)
    assert changed(real, labels=real.labels | {"drill": label}).drill is drill


async def test_a_drill_says_so_in_its_title_its_pages_and_every_post(world: World) -> None:
    plant = world.start()
    await plant.desk.receive([practised()])
    await plant.turn()
    incident = await plant.desk.incident("1")
    assert (incident.drill, incident.title) == (True, "DRILL: More than 5 % of answers fail")
    told = [*sent(world.hook, "page"), *sent(world.hook, "post")]
    assert told
    assert all("DRILL: " in message.subject for message in told)
    assert await plant.refolded() == incident


@pytest.mark.parametrize("first_is_drill", [True, False])
async def test_what_is_real_never_joins_a_drill_nor_a_drill_what_is_real(world: World, first_is_drill: bool) -> None:
    desk = world.start().desk
    two = (practised(), alert()) if first_is_drill else (alert(), practised())
    told = [(r.outcome, r.incident) for one in two for r in await desk.receive([one])]
    assert told == [("opened", 1), ("opened", 2)]
    again = await desk.receive([changed(alert(pod="b"), labels={**alert().labels, "pod": "b"})])
    assert (await desk.incident(str(again[0].incident))).drill is False


async def test_a_drill_holds_back_nothing_real(world: World) -> None:
    desk = world.start().desk
    rule = Inhibition(1, parse_all(["alertname=NodeDown"]), parse_all(["alertname=Backend5xxRateHigh"]))
    desk.triage = changed(desk.triage, inhibitions=(rule,))
    await desk.receive([practised(name="NodeDown", service="node")])
    (receipt,) = await desk.receive([alert()])
    assert receipt.outcome == "opened"


async def test_the_public_hears_of_a_drill_only_what_a_person_publishes_and_that_it_is_one(world: World) -> None:
    plant = world.start()
    await plant.desk.receive([practised()])
    await plant.turn()
    incident = await plant.desk.incident("1")
    assert (incident.public, sent(world.hook, "status")) == ((), [])
    published = await plant.desk.publish("1", ANA, status="investigating")
    view = public_view(published, document())
    assert view is not None
    assert view.title.startswith("DRILL: ")
    assert view.updates[0].text.startswith("DRILL: ")
    assert description([view]) == "All Systems Operational"


async def test_the_postmortem_of_a_drill_says_that_its_times_count_nowhere(world: World) -> None:
    plant = world.start()
    await plant.desk.receive([practised()])
    incident = await plant.desk.incident("1")
    found = postmortem(incident, await plant.desk.timeline("1"), document())
    assert found.drill
    assert "its times belong into no statistics" in as_markdown(found)


async def test_open_drills_are_not_among_the_open_incidents_that_are_counted(world: World) -> None:
    desk = world.start().desk
    await desk.receive([practised()])
    await desk.receive([alert()])
    counted = world.store.read(lambda tx: tx.gauges()).incidents
    assert sum(counted.values()) == 1


async def test_a_person_declares_a_drill_by_its_title(world: World) -> None:
    plant = world.start()
    assert (await plant.desk.declare(ANA, title="DRILL: the cellar is flooded")).drill
    assert not (await plant.desk.declare(ANA, title="The drill hall is flooded")).drill
