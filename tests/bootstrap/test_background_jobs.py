"""What runs beside the engine: a job that breaks is said and begun again."""

from __future__ import annotations

import asyncio

import pytest

from tocsin.bootstrap import house


async def test_a_job_that_breaks_is_said_and_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house, "AGAIN_SECONDS", 0.0)
    begun: list[int] = []
    troubles: dict[str, str] = {}

    async def job() -> None:
        begun.append(len(begun))
        if len(begun) == 1:
            raise OSError("the disk is gone")

    await asyncio.wait_for(house.endlessly(job, troubles), 5)
    assert begun == [0, 1]
    assert list(troubles.values()) == ["it broke and was begun again: OSError"]
