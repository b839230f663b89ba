"""What every runner holds to, wherever it runs steps: in this process, or near the cluster."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from hands import HANDS, Hands, only, written


@pytest_asyncio.fixture(params=list(HANDS))
async def hands(request: pytest.FixtureRequest) -> AsyncIterator[Hands]:
    async with HANDS[request.param]() as found:
        yield found


def alive(pids: str) -> list[str]:
    """Those of the processes that still run (a zombie does not)."""
    stats = {pid: Path(f"/proc/{pid}/stat") for pid in pids.split()}
    return [p for p, s in stats.items() if s.exists() and s.read_text().rpartition(")")[2].split()[0] not in "ZX"]


async def test_a_report_says_what_the_step_gave(hands: Hands) -> None:
    (report,) = await hands.run(written("# Look\necho out; echo err >&2; cat /no/such/file"))
    assert (report.index, report.title, report.outcome, report.exit_code) == (1, "Look", "failed", 1)
    assert report.stdout == "out\n"
    assert report.stderr.startswith("err\n")
    assert report.started_at <= report.ended_at
    assert len(report.digest) == 64


async def test_output_is_heard_while_the_step_runs(hands: Hands) -> None:
    heard: asyncio.Queue[tuple[int, str, str]] = asyncio.Queue()
    running = asyncio.ensure_future(
        hands.run(written("echo begun; sleep 60"), output=lambda *said: heard.put_nowait(said))
    )
    assert await heard.get() == (1, "stdout", "begun\n")
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_cancelled_run_leaves_no_process(hands: Hands) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    book = written("sleep 60 & echo $! $$; trap '' TERM; wait")
    running = asyncio.ensure_future(hands.run(book, approved=True, output=lambda _, __, text: heard.put_nowait(text)))
    pids = await heard.get()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert alive(pids) == []


async def test_a_change_runs_only_when_approved(hands: Hands, tmp_path: Path) -> None:
    book = written(f"touch {tmp_path}/made")
    (refused,) = await hands.run(book)
    assert (refused.outcome, os.listdir(tmp_path)) == ("failed", [])
    assert "not run: it needs an approval" in refused.reason
    (done,) = await hands.run(book, approved=True)
    assert (done.outcome, os.listdir(tmp_path)) == ("ok", ["made"])


async def test_values_travel_and_never_as_code(hands: Hands, tmp_path: Path) -> None:
    book = written("echo <pod-name>")
    (said,) = await hands.run(book, values={"pod-name": "backend-1", "other": "x"})
    assert said.stdout == "backend-1\n"
    (refused,) = await hands.run(book, values={"pod-name": f"x; touch {tmp_path}/made"})
    assert (refused.outcome, os.listdir(tmp_path)) == ("failed", [])
    assert "<pod-name>: it is not a Kubernetes name" in refused.reason
    assert hands.runner.refuses(only(book), {}) == {"pod-name": "a value is needed"}


async def test_the_documents_exports_stand_before_each_step(hands: Hands) -> None:
    book = written("# One\necho $WHERE\n\n# Two\necho at $WHERE", environment=["export WHERE=production"])
    assert [r.stdout for r in await hands.run(book)] == ["production\n", "at production\n"]


async def test_steps_side_by_side_run_at_the_same_time(hands: Hands, tmp_path: Path) -> None:
    """Each waits for what the other one does."""
    meet = "touch {0}/{1}; until [ -e {0}/{2} ]; do sleep 0.02; done"
    book = written(f"# A\n{meet.format(tmp_path, 'a', 'b')}\n\n# B\n{meet.format(tmp_path, 'b', 'a')}")
    reports = await hands.run(book, approved=True, side_by_side=True)
    assert sorted((r.index, r.outcome) for r in reports) == [(1, "ok"), (2, "ok")]


async def test_secrets_are_taken_out_of_what_is_heard_and_kept(hands: Hands) -> None:
    heard: list[str] = []
    book = written("echo token: s3cr3t-of-ours; echo $DB_PASSWORD; echo 'postgres://app:hunter2@db/x' >&2; false")
    (report,) = await hands.run(book, output=lambda _, __, text: heard.append(text))
    for said in ("".join(heard), report.stdout + report.stderr, report.reason):
        assert "s3cr3t" not in said
        assert "hunter2" not in said
    assert "[redacted]" in report.stdout


async def test_an_outcome_has_more_than_two_values(hands: Hands) -> None:
    book = written("# A\necho a | grep b\n\n# B\ncurl -s http://127.0.0.1:1/\n\n# Open the dashboard\n\n# D\nsleep 60")
    reports = await hands.run(book)
    assert [r.outcome for r in reports] == ["nothing_found", "unhealthy", "manual", "timed_out"]


async def test_a_query_without_prometheus_is_not_known(hands: Hands) -> None:
    (report,) = await hands.run(written("# Prometheus query: up == 0"))
    assert (report.outcome, report.reason) == ("unknown", "no Prometheus is configured")


async def test_long_output_keeps_its_head_and_its_tail(hands: Hands) -> None:
    (report,) = await hands.run(
        written("echo first; head -c 3000000 /dev/zero | tr '\\0' 'x' | fold -w 99; echo; echo last")
    )
    assert report.stdout.startswith("first\n")
    assert report.stdout.endswith("\nlast\n")
    assert report.cut_bytes > 2_000_000
