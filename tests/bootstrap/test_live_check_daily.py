"""The server compares by itself: the last result stays, what is new is told from what was known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from recorders import Answer, HttpRecorder

from tocsin.bootstrap import compose
from tocsin.bootstrap.house import House
from tocsin.bootstrap.living import LiveCheck
from tocsin.config import load
from tocsin.store.database import Store


def names(*listed: str) -> Answer:
    return Answer(body=json.dumps({"status": "success", "data": list(listed)}).encode())


def house(folder: Path, prometheus: str, *, check: str = "true") -> tuple[House, Store]:
    (folder / "tocsin.toml").write_text(
        f'database = "sqlite:///{folder / "tocsin.db"}"\n[people.me]\n[roles]\n"*" = "me"\n'
        f'[sources.prometheus]\nurl = "{prometheus}"\n[evidence.kubernetes]\nenabled = false\n'
        f"[evidence.check]\nenabled = {check}\n",
        encoding="utf-8",
    )
    settings = load(folder / "tocsin.toml", environ={})
    store = Store(settings.database.get_secret_value())
    return compose(settings, store=store), store


async def test_a_contradiction_is_new_once_and_stays_until_it_is_mended(tmp_path: Path) -> None:
    async with HttpRecorder(names("up")) as http:
        made, store = house(tmp_path, http.url)
        first, second = await LiveCheck(made).look(), await LiveCheck(made).look()
        store.close()
    lies = [f for f in first.findings if f.code == "L001"]
    assert len(lies) == 1
    assert lies[0] in first.new
    assert lies[0] in second.findings
    assert lies[0] not in second.new
    assert made.truth == second


async def test_what_cannot_be_asked_today_is_no_contradiction(tmp_path: Path) -> None:
    made, store = house(tmp_path, "http://127.0.0.1:1")
    found = await LiveCheck(made).look()
    store.close()
    assert [f for f in found.findings if f.code == "L001"] == []
    assert any(line.startswith("metrics: ") for line in found.unasked)


@pytest.mark.parametrize(("check", "there"), [("true", True), ("false", False)])
def test_it_is_done_by_itself_unless_the_settings_say_otherwise(tmp_path: Path, check: str, there: bool) -> None:
    made, store = house(tmp_path, "http://127.0.0.1:1", check=check)
    store.close()
    assert any("LiveCheck" in getattr(job, "__qualname__", "") for job in made.background) is there
