"""`tocsin related`, `merge` and `split`: what is listed, said and refused."""

from __future__ import annotations

import httpx
from served import Served
from terminals import Terminal

from tocsin.incident.policy import Role


def fire(house: Served, service: str, *keys: str) -> int:
    """Tells of alerts of a service; its incident's number."""
    headers = {"Authorization": f"Bearer {house.site.token(Role.RESPONDER, 'Sender')}"}
    for key in keys:
        told = {"title": f"{service} {key} fails", "service": service, "severity": "critical", "key": key}
        answer = httpx.post(f"{house.url}/api/v1/alerts/generic", json=told, headers=headers, trust_env=False)
    number: int = answer.json()["alerts"][0]["incident"]
    return number


def test_what_may_be_one_trouble_is_listed_with_how_to_merge_it_or_not(ana: Terminal) -> None:
    first, second = ana.declare("Search is slow"), ana.declare("Search is slow, too")
    said = ana.says("related", first)
    assert "Nothing else" in said
    assert ana.json("related", first) == {"related": []}
    assert "Noted: not related." in ana.says("related", first, "--not", second, "--because", "two causes")


def test_one_is_merged_into_the_other_and_shows_where_it_went(ana: Terminal) -> None:
    first, second = ana.declare("Cart is down"), ana.declare("Cart is gone")
    assert f"Merged into #{first}." in ana.says("merge", second, first, "--because", "the same")
    assert f"#{first}" in ana.says("show", second)
    assert f"merged into #{first}" in ana.refuses("ack", second)
    assert "round in a circle" in ana.refuses("merge", first, second)


def test_alerts_are_listed_by_fingerprint_and_split_off(ana: Terminal, house: Served) -> None:
    number = fire(house, "mail", "mail-a", "mail-b")
    alerts = ana.json("split", number)["alerts"]
    assert alerts[0]["fingerprint"] in ana.says("split", number)
    said = ana.says("split", number, alerts[0]["fingerprint"], "--title", "One mailbox")
    assert "Split off." in said
    assert "One mailbox" in said
    assert "has no alert 'nonsense'" in ana.refuses("split", number, "nonsense")
