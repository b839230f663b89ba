"""The runbook follows its file: a good edit is put in force, a broken one never, and what is open keeps its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sites import SETTINGS

from tocsin.bootstrap import House, compose, reloading
from tocsin.bootstrap.edition import read_edition
from tocsin.bootstrap.reloading import Reloading
from tocsin.config import load
from tocsin.engine.fakes import VirtualClock
from tocsin.incident.policy import Actor
from tocsin.store.database import Store

BOOK = """# The shop

## Severity levels

| Severity | Description | Response Time |
|---|---|---|
| SEV1 | Nobody can buy | 15 minutes |
| SEV2 | Some cannot | 1 hour |
| SEV3 | It is slow | 4 hours |

## Procedures

### Roll back

See [roll back](./rollback.md).
"""
LINKED = "# Roll back\n\n### Look at the history\n\n```bash\nkubectl rollout history deployment/shop\n```\n"
BETTER = BOOK.replace("15 minutes", "5 minutes")
BROKEN = "# The shop\n\nNothing here can be run.\n"


class Bench:
    """A house on files that can be edited; `edit` writes and lets the watch look until it has settled."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder = folder
        self.book = folder / "book.md"
        self.book.write_text(BOOK)
        (folder / "rollback.md").write_text(LINKED)
        (folder / "tocsin.toml").write_text(f'runbook = "book.md"\n{SETTINGS}')
        settings = load(folder / "tocsin.toml", environ={})
        self.house: House = compose(settings, store=store, clock=VirtualClock())
        edition = read_edition(settings, dict)
        self.watch = Reloading(self.house, edition, store=store, calendars=dict)

    def edit(self, text: str, name: str = "book.md") -> None:
        new = self.folder / "new~"
        new.write_text(text)
        new.replace(self.folder / name)  # as editors do
        self.settle()

    def settle(self) -> None:
        self.watch.look()
        self.watch.look()

    @property
    def response(self) -> str:
        """The worst level's, the same wherever the policy in force is asked for."""
        house = self.house
        said = {
            str(runbook.severities[0].response)
            for runbook in (house.reading.runbook, house.desk.policy.runbook, house.channels.policy.runbook)  # type: ignore[union-attr]
        }
        assert len(said) == 1
        return said.pop()

    @property
    def trouble(self) -> str | None:
        return self.house.troubles.get("runbook")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    store = Store(f"sqlite:///{tmp_path / 'tocsin.db'}")
    yield Bench(tmp_path, store)
    store.close()


def test_a_good_edit_is_put_in_force_and_kept(bench: Bench) -> None:
    assert bench.response == "0:15:00"
    bench.edit(BETTER)
    assert bench.response == "0:05:00"
    assert bench.house.runbook_text == BETTER
    assert bench.trouble is None
    digest = bench.house.reading.runbook.digest
    assert bench.house.core.storage.read(lambda tx: tx.runbook(digest)) == (str(bench.book), BETTER)


def test_a_broken_edit_never_replaces_the_good_one(bench: Bench) -> None:
    bench.edit(BROKEN)
    assert bench.response == "0:15:00"
    assert bench.trouble is not None
    assert ": book.md:1:1: R001: no severity levels found" in bench.trouble
    bench.edit(BETTER)
    assert bench.response == "0:05:00"
    assert "runbook" not in bench.house.troubles


def test_taking_a_broken_edit_back_ends_the_trouble(bench: Bench) -> None:
    bench.edit(BROKEN)
    bench.edit(BOOK)
    assert bench.response == "0:15:00"
    assert "runbook" not in bench.house.troubles


def test_an_edit_that_the_settings_do_not_fit_is_refused(bench: Bench) -> None:
    (bench.folder / "tocsin.toml").write_text(f'runbook = "book.md"\nseverity = {{page = "SEV3"}}\n{SETTINGS}')
    bench.watch._house.settings = load(bench.folder / "tocsin.toml", environ={})
    bench.edit(BETTER.replace("| SEV3 | It is slow | 4 hours |\n", ""))
    assert bench.response == "0:15:00"
    assert 'no severity "SEV3"' in str(bench.trouble)


def test_a_file_that_is_gone_leaves_the_good_one_in_force(bench: Bench) -> None:
    bench.book.rename(bench.folder / "away.md")
    bench.settle()
    assert bench.response == "0:15:00"
    assert "no such file" in str(bench.trouble)
    (bench.folder / "away.md").rename(bench.book)
    bench.settle()
    assert bench.trouble is None


def test_a_file_still_being_written_is_not_read(bench: Bench) -> None:
    bench.book.write_text(BETTER)
    bench.watch.look()
    assert bench.response == "0:15:00"
    bench.watch.look()
    assert bench.response == "0:05:00"


def test_a_linked_document_is_followed_too(bench: Bench) -> None:
    bench.edit(LINKED.replace("shop", "till"), "rollback.md")
    (linked,) = bench.house.desk.policy.linked
    assert linked.procedures[0].steps[0].command.strip().endswith("deployment/till")


def test_a_linked_document_that_broke_leaves_the_good_one_in_force(bench: Bench) -> None:
    bench.edit("nothing to do\n", "rollback.md")
    assert len(bench.house.desk.policy.linked) == 1
    assert ": book.md:15: ./rollback.md: " in str(bench.trouble)
    bench.edit(BOOK.replace("See [roll back](./rollback.md).", "Ask."))
    assert not bench.house.desk.policy.linked
    assert "runbook" not in bench.house.troubles


async def test_an_open_incident_keeps_its_runbook(bench: Bench) -> None:
    desk, ana = bench.house.desk, Actor("Ana")
    first = await desk.declare(ana, title="Nobody can buy", severity="SEV1")
    bench.edit(BETTER)
    second = await desk.declare(ana, title="Nobody can pay", severity="SEV1")
    policies = bench.house.core.policies
    assert str(policies.of(first).response("SEV1")) == "0:15:00"
    assert str(policies.of(second).response("SEV1")) == "0:05:00"


async def test_the_watch_runs_with_the_house(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reloading, "EVERY_SECONDS", 0.01)
    await bench.house.start()
    try:
        bench.book.write_text(BETTER)
        for _ in range(1000):
            await asyncio.sleep(0.01)
            if bench.house.channels.policy is bench.house.desk.policy and bench.house.runbook_text == BETTER:
                break
    finally:
        await bench.house.stop()
    assert bench.response == "0:05:00"
