"""`POST /api/v1/alerts/mapped/{name}`: senders that speak a JSON of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from sites import SETTINGS, Site, refusal

from tocsin.config import SettingsError

Opener = Callable[..., Awaitable[Site]]
ARGO = """
[[sources.mappings]]
name = "argocd"
title = "app.name"
key = "app.uid"
status = "app.health"
labels = {service = "app.service"}
resolved = ["Healthy"]
"""
PATH = "/api/v1/alerts/mapped/argocd"


def body(health: str) -> dict[str, object]:
    return {"app": {"name": "Cart is degraded", "uid": "u1", "health": health, "service": "backend"}}


async def test_a_declared_mapping_opens_and_resolves(opener: Opener) -> None:
    site = await opener(settings=SETTINGS + ARGO)
    ask = await site.of(None, address="127.0.0.1")
    assert (await ask.post(PATH, json=body("Degraded"))).json()["alerts"][0]["outcome"] == "opened"
    assert (await ask.post(PATH, json=body("Healthy"))).json()["alerts"][0]["outcome"] == "resolved"
    assert ((await site.shown())["title"], (await site.shown())["service"]) == ("Cart is degraded", "backend")


async def test_a_body_that_does_not_fit_is_a_400_by_field(opener: Opener) -> None:
    site = await opener(settings=SETTINGS + ARGO)
    problem = refusal(await (await site.of(None, address="127.0.0.1")).post(PATH, json={}), 400)
    assert problem["errors"][0]["name"] == "title"


async def test_a_mapping_nobody_declared_is_a_404_with_the_remedy(site: Site) -> None:
    problem = refusal(await (await site.of(None, address="127.0.0.1")).post(PATH, json={}), 404)
    assert "[[sources.mappings]]" in problem["detail"]


async def test_an_expression_that_is_none_is_refused_at_start(opener: Opener) -> None:
    with pytest.raises(SettingsError) as caught:
        await opener(settings=SETTINGS + ARGO.replace('"app.name"', '"app["'))
    assert "is no JMESPath expression" in str(caught.value)
