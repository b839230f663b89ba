"""A room of a storm lists the first alerts and says how many more there are."""

from __future__ import annotations

from datetime import UTC, datetime

from sites import Site

from tocsin.incident.alert import Alert, AlertStatus
from tocsin.incident.policy import Role

AT = datetime(2026, 1, 5, 3, tzinfo=UTC)


def alert(number: int) -> Alert:
    labels = {"alertname": "Slow", "service": "backend", "severity": "critical", "pod": str(number)}
    return Alert(f"slow-{number}", AlertStatus.FIRING, labels, {}, AT, None, "generic")


async def test_a_storm_is_told_by_its_number(site: Site) -> None:
    browser = await site.signed_in(Role.VIEWER)
    await site.house.desk.receive([alert(n) for n in range(100)])
    assert "<strong>+" not in (await browser.get("/incidents/1")).text
    await site.house.desk.receive([alert(n) for n in range(100, 1_300)])
    shown = (await browser.get("/incidents/1")).text
    assert "100 alerts <strong>+1,200</strong>, 1,300 firing" in shown
    assert "and 1,200 more" in shown
