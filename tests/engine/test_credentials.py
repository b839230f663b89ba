"""Who is asking: tokens, sessions and links that sign in once, each by its hash, each with its end."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import pytest
from engines import Plant, World

from tocsin.engine.credentials import API, LINK_LASTS, ONCE, SESSION, SESSION_LASTS, mint
from tocsin.incident.policy import Actor, Role
from tocsin.store.database import Store


async def test_a_token_made_without_a_server_is_known_to_it(world: World, plant: Plant) -> None:
    secret = mint(world.store, name="ci", role=Role.VIEWER, kind=API, now=world.clock.now(), lasts=None)
    assert await plant.credentials.check(secret, API) == Actor("ci", Role.VIEWER)
    assert await plant.credentials.check(secret, SESSION, ONCE) is None
    world.clock.move(days=10_000)
    assert await plant.credentials.check(secret, API, SESSION) == Actor("ci", Role.VIEWER)


@pytest.mark.parametrize("secret", ["", "tocsin_", "x", "\udcff", "тайна"])
async def test_what_nobody_was_given_is_nobodys(plant: Plant, secret: str) -> None:
    assert await plant.credentials.check(secret, API, SESSION, ONCE) is None
    assert await plant.credentials.redeem(secret) is None


async def test_a_session_ends_by_itself_and_when_asked(world: World, plant: Plant) -> None:
    first = await plant.credentials.start_session("Ana", Role.RESPONDER)
    second = await plant.credentials.start_session("Ana", Role.RESPONDER)
    await plant.credentials.end_session(first)
    assert await plant.credentials.check(first, SESSION) is None
    world.clock.move(seconds=SESSION_LASTS.total_seconds() - 1)
    assert await plant.credentials.check(second, SESSION) == Actor("Ana", Role.RESPONDER)
    world.clock.move(seconds=1)
    assert await plant.credentials.check(second, SESSION) is None


async def test_a_link_signs_in_once(plant: Plant) -> None:
    secret = await plant.credentials.invite("Ana", Role.ADMIN)
    assert await plant.credentials.check(secret, API, SESSION) is None
    assert await plant.credentials.redeem(secret) == Actor("Ana", Role.ADMIN)
    assert await plant.credentials.redeem(secret) is None


async def test_a_link_followed_twice_at_once_signs_in_once(plant: Plant) -> None:
    secret = await plant.credentials.invite("Ana", Role.ADMIN)
    found = await asyncio.gather(*(plant.credentials.redeem(secret) for _ in range(10)))
    assert len([who for who in found if who is not None]) == 1


async def test_a_link_is_good_for_a_day(world: World, plant: Plant) -> None:
    early, late = await plant.credentials.invite("Ana", Role.ADMIN), await plant.credentials.invite("Ben", Role.ADMIN)
    world.clock.move(seconds=LINK_LASTS.total_seconds() - 1)
    assert await plant.credentials.redeem(early) is not None
    world.clock.move(seconds=1)
    assert await plant.credentials.redeem(late) is None


async def test_a_session_is_no_link(plant: Plant) -> None:
    session = await plant.credentials.start_session("Ana", Role.RESPONDER)
    assert await plant.credentials.redeem(session) is None
    assert await plant.credentials.check(session, SESSION) is not None


async def test_a_form_carries_its_sessions_own_token(plant: Plant) -> None:
    csrf = plant.credentials.csrf("one")
    assert plant.credentials.csrf_matches("one", csrf)
    for given in ("", csrf[:-1], csrf.upper(), plant.credentials.csrf("two"), "naïve", "\udcff"):
        assert not plant.credentials.csrf_matches("one", given)


async def test_the_first_start_is_over_once_somebody_has_a_way_in(world: World, plant: Plant) -> None:
    assert await plant.credentials.nobody_yet()
    secret = await plant.credentials.invite("Ana", Role.ADMIN)
    assert await plant.credentials.nobody_yet()
    await plant.credentials.redeem(secret)
    await plant.credentials.start_session("Ana", Role.ADMIN)
    assert not await plant.credentials.nobody_yet()


async def test_no_secret_stands_in_the_file(world: World, plant: Plant) -> None:
    secrets = [
        await plant.credentials.start_session("Ana", Role.ADMIN),
        await plant.credentials.invite("Ben", Role.ADMIN),
        mint(world.store, name="ci", role=Role.VIEWER, kind=API, now=world.clock.now(), lasts=None),
    ]
    with closing(sqlite3.connect(world.path)) as connection:
        kept = "\n".join(connection.iterdump())
    assert not [s for s in secrets if s in kept]
    assert isinstance(world.store, Store)
