"""What measurements make of the severity: before the page where it is known already, and in the room."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from cases import Production
from engines import alert
from msgspec.structs import replace
from sites import Site

from tocsin.diagnosis.facts import Facts, Subject
from tocsin.diagnosis.impact import Impact
from tocsin.diagnosis.verdict import LIMITS
from tocsin.engine.diagnosing import Diagnosing, Settled
from tocsin.incident.policy import Role

Shown = Callable[[httpx.Response], str]
FACTS = Production().facts()


class Witness:
    async def facts(self, subject: Subject, *, reported_at: object) -> Facts:
        return FACTS

    async def warm(self) -> None:
        pass


def measured(site: Site, share: float) -> None:
    """So many of the backend's users are affected."""
    known = Impact(share, site.clock.now(), "[services.backend] affected")
    site.house.desk.triage = replace(site.house.desk.triage, impact_of={"backend": known}.get)


async def looked_at(site: Site) -> None:
    triage = site.house.desk.triage
    about = Settled(lambda s, _: Subject(s), lambda c, v: None, LIMITS, timedelta(seconds=1), triage.impact_of)
    site.house.diagnosing = Diagnosing(site.house.desk, Witness(), about)
    await site.house.diagnosing.turn()


async def shown(site: Site) -> dict[str, Any]:
    return await site.shown()


@pytest.mark.parametrize(
    ("label", "severity", "why"),
    [
        (
            "warning",
            "SEV3",
            "suggested: alert label severity=warning: level 3 by default; 99% of the users are affected, by",
        ),
        ("", "SEV1", "suggested: 99% of the users are affected, by [services.backend] affected at 03:00:00 UTC: “"),
        ("critical", "SEV1", "suggested: alert label severity=critical"),
    ],
)
async def test_a_new_incident_begins_with_what_was_measured_before(
    site: Site, label: str, severity: str, why: str
) -> None:
    measured(site, 0.99)
    await site.house.desk.receive([alert(severity=label)])
    found = await shown(site)
    assert found["severity"] == severity
    assert found["severity_reason"].startswith(why)


async def test_of_another_service_nothing_is_known(site: Site) -> None:
    measured(site, 0.99)
    await site.house.desk.receive([alert(service="cart", severity="")])
    assert (await shown(site))["severity_reason"].startswith("suggested: the alert carries no severity label")


async def test_the_room_shows_the_suggestion_and_its_evidence_and_changes_nothing(site: Site) -> None:
    measured(site, 0.99)
    await site.declare(service="backend", severity="SEV3")
    await looked_at(site)
    found = await shown(site)
    assert found["severity"] == "SEV3"
    assert found["severity_suggestion"]["severity"] == "SEV1"
    assert found["severity_suggestion"]["reason"].startswith("99% of the users are affected")
    page = (await (await site.signed_in(Role.RESPONDER)).get("/incidents/1")).text
    assert "Measurements suggest" in page
    assert "People decide" in page


async def test_without_a_measurement_the_room_says_that_it_is_unknown(site: Site) -> None:
    await site.declare(service="backend", severity="SEV3")
    await looked_at(site)
    assert (await shown(site))["severity_suggestion"]["severity"] is None
    page = (await (await site.signed_in(Role.RESPONDER)).get("/incidents/1")).text
    assert "Measurements suggest no level" in page
