"""A route chooses the runbook: what is in force for an incident, and what an edit of one of several changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from engines import alert, e
from sites import SETTINGS

from tocsin.bootstrap import House, compose
from tocsin.bootstrap.edition import read_edition
from tocsin.bootstrap.reloading import Reloading
from tocsin.config import Settings, SettingsError, load
from tocsin.engine.fakes import VirtualClock
from tocsin.incident.deadlines import deadlines
from tocsin.incident.errors import CommandError
from tocsin.incident.policy import Actor
from tocsin.incident.state import Incident
from tocsin.store.database import Store

SHOP = """# The shop

## Severity levels

| Severity | Description | Response Time |
|---|---|---|
| SEV1 | Nobody can buy | 15 minutes |
| SEV2 | Some cannot | 1 hour |
"""
PAY = SHOP.replace("The shop", "Payments").replace("SEV", "P").replace("15 minutes", "5 minutes")
RUNBOOKS = """
runbook = "shop.md"
[runbooks.payments]
file = "pay.md"
severity = {critical = "P1", default = "P2"}
[[routes]]
match = 'service="payments"'
runbook = "payments"
schedule = "pay"
[schedules.pay]
people = ["dana"]
starts = 2025-12-29
handoff = "Mon 09:00"
timezone = "UTC"
[severity]
critical = "SEV1"
default = "SEV2"
"""
ANA = Actor("Ana")


def files(folder: Path, settings: str = RUNBOOKS) -> Settings:
    (folder / "shop.md").write_text(SHOP)
    (folder / "pay.md").write_text(PAY)
    (folder / "tocsin.toml").write_text(settings.replace("[runbooks", f"{SETTINGS}\n[runbooks", 1))
    return load(folder / "tocsin.toml", environ={})


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    store = Store(f"sqlite:///{tmp_path / 'tocsin.db'}")
    yield compose(files(tmp_path), store=store, clock=VirtualClock())
    store.close()


def time_to_acknowledge(house: House, incident: Incident) -> timedelta:
    found = next(d for d in deadlines(incident, house.desk.policy_of(incident)) if d.kind.value == "acknowledge")
    return found.due_at - incident.opened_at


async def opened(house: House, service: str) -> Incident:
    (receipt,) = await house.desk.receive([alert(service=service)])
    return await house.desk.incident(str(receipt.incident))


async def test_an_alert_is_handled_by_the_runbook_of_its_route(house: House) -> None:
    pay, shop = await opened(house, "payments"), await opened(house, "cart")
    assert (pay.severity, shop.severity) == ("P1", "SEV1")
    assert (time_to_acknowledge(house, pay), time_to_acknowledge(house, shop)) == (
        timedelta(minutes=5),
        timedelta(minutes=15),
    )
    assert house.desk.policy_of(pay).runbook.title == "Payments"


async def test_who_is_on_in_the_routes_schedule_is_paged_first(house: House) -> None:
    pay = await opened(house, "payments")
    paged = [x.event for x in await house.desk.timeline(pay.id) if isinstance(x.event, e.Paged)]
    assert [(page.role, page.person) for page in paged] == [("On-call (pay)", "dana")]


async def test_a_severity_of_another_runbook_is_refused_and_its_own_is_not(house: House) -> None:
    pay = await opened(house, "payments")
    with pytest.raises(CommandError, match="no severity 'SEV1'"):
        await house.desk.set_severity(pay.id, ANA, severity="SEV1", reason="x")
    assert (await house.desk.set_severity(pay.id, ANA, severity="P2", reason="x")).severity == "P2"


async def test_what_people_declare_follows_the_service_or_the_name_they_give(house: House) -> None:
    about = await house.desk.declare(ANA, title="Cards fail", service="payments")
    named = await house.desk.declare(ANA, title="Cards fail", runbook="payments")
    other = await house.desk.declare(ANA, title="Slow", service="cart")
    assert [i.severity for i in (about, named, other)] == ["P2", "P2", "SEV2"]
    with pytest.raises(CommandError, match="no runbook is named 'pay'"):
        await house.desk.declare(ANA, title="Cards fail", runbook="pay")


async def test_an_edit_of_one_re_times_what_opens_next_by_it_and_nothing_else(house: House, tmp_path: Path) -> None:
    before = await opened(house, "payments")
    edition = read_edition(house.settings, dict, "payments")
    watch = Reloading(house, edition, store=house.core.storage, calendars=dict)  # type: ignore[arg-type]
    main = house.reading
    (tmp_path / "pay.md").write_text(PAY.replace("5 minutes", "2 minutes"))
    for _ in range(2):
        watch.look()
    await house.desk.resolve(before.id, ANA, reason="over")
    after = await house.desk.declare(ANA, title="Cards fail", severity="P1", runbook="payments")
    assert time_to_acknowledge(house, before) == timedelta(minutes=5)
    assert time_to_acknowledge(house, after) == timedelta(minutes=2)
    assert house.reading is main
    (tmp_path / "pay.md").write_text("# Nothing\n")
    for _ in range(2):
        watch.look()
    assert list(house.troubles) == ["runbook payments"]
    assert "pay.md" in house.troubles["runbook payments"]


async def test_an_older_edition_is_judged_by_its_own_runbooks_rules_after_a_restart(
    house: House, tmp_path: Path
) -> None:
    pay = await opened(house, "payments")
    (tmp_path / "pay.md").write_text(PAY.replace("Nobody can buy", "Nobody can pay"))
    again = compose(house.settings, store=house.core.storage, clock=VirtualClock())  # type: ignore[arg-type]
    policy = again.desk.policy_of(await again.desk.incident(pay.id))
    assert policy.runbook.severities[0].description == "Nobody can buy"
    assert dict(policy.rules.severity_labels) == {"critical": "P1", "default": "P2"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("severity = {critical", "severity = {critical0"), ""),
        (('severity = {critical = "P1", default = "P2"}\n', ""), "give it its own as [runbooks.payments.severity]"),
        (('"P2"}', '"P9"}'), 'default: the runbook "payments" has no severity "P9": known are P1, P2'),
        (('runbook = "payments"', 'runbook = "payment"'), 'runbook: no runbook "payment" under [runbooks]'),
        (('schedule = "pay"', 'schedule = "pays"'), 'schedule: no schedule "pays" under [schedules]'),
        (('schedule = "pay"', 'severity = "SEV1"'), 'severity: the runbook "payments" has no severity "SEV1"'),
        (('file = "pay.md"', 'file = "paid.md"'), "paid.md: no such file"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    settings, store = files(tmp_path, RUNBOOKS.replace(*change)), Store(f"sqlite:///{tmp_path / 'tocsin.db'}")
    try:
        if not said:
            compose(settings, store=store, clock=VirtualClock())
            return
        with pytest.raises(SettingsError) as caught:
            compose(settings, store=store, clock=VirtualClock())
        assert said in str(caught.value)
    finally:
        store.close()
