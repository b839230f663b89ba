"""Jobs for runners near the cluster: begun by one, once; lost when nothing is heard; late results are passed on."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from hands import cluster_of, only, remote, written

from tocsin.engine.ports import StepReport
from tocsin.procedures.remote.dispatch import Dispatch, Lost, NotTaken
from tocsin.procedures.remote.link import NotLetIn
from tocsin.procedures.remote.near import pause
from tocsin.procedures.remote.wire import Begin, Ended, Job, Piece, Poll, Progress, Refused, What

CHANGE = Job("", What.RUN, "a step", "Rollback", document="a document", approved=True, whose="incident 1")
DONE = StepReport(1, "Rollback", "ok", "", 0, "", "", 0, datetime.now(UTC), datetime.now(UTC), "")


def dispatch(*, wait: float = 5, lease: float = 5) -> Dispatch:
    return Dispatch(wait=timedelta(seconds=wait), lease=timedelta(seconds=lease))


async def offered(one: Dispatch, session: str = "s", job: Job = CHANGE) -> tuple[asyncio.Task[Ended], str]:
    """The job under way, and the id it is offered under."""
    doing = asyncio.ensure_future(one.do(job))
    await asyncio.sleep(0)
    offers = await one.poll("near", Poll(session, 1))
    return doing, offers.jobs[-1].id


async def test_a_job_is_begun_by_one_session_only_and_by_that_one_again() -> None:
    one = dispatch()
    doing, id_ = await offered(one)
    assert one.begin(Begin("s", (id_,))).jobs == (id_,)
    assert one.begin(Begin("other", (id_,))).jobs == ()
    assert one.begin(Begin("s", (id_,))).jobs == (id_,)  # its first answer may have been lost
    assert await one.end(Ended("s", id_, report=DONE))
    assert (await doing).report == DONE


async def test_what_was_given_up_cannot_be_begun_any_more() -> None:
    one = dispatch(wait=0.05)
    doing, id_ = await offered(one)
    with pytest.raises(NotTaken, match="no runner began it"):
        await doing
    assert one.begin(Begin("s", (id_,))).jobs == ()


async def test_without_a_runner_the_reason_says_how_to_start_one() -> None:
    with pytest.raises(NotTaken, match="no runner is connected: start `tocsin runner`"):
        await dispatch(wait=0.02).do(CHANGE)


async def test_a_runner_that_falls_silent_has_lost_its_job_and_a_late_result_is_passed_on() -> None:
    one, late = dispatch(lease=0.1), list[tuple[str, str]]()

    async def hear(job: Job, ended: Ended) -> None:
        late.append((job.whose, ended.report.outcome if ended.report else ""))

    one.late = hear
    doing, id_ = await offered(one)
    one.begin(Begin("s", (id_,)))
    with pytest.raises(Lost, match=r"nothing was heard of the runner near for 0\.1 s"):
        await doing
    assert one.progress(Progress("s", (id_,))).stopped == (id_,)
    assert await one.end(Ended("s", id_, report=DONE))
    assert late == [("incident 1", "ok")]
    assert not await one.end(Ended("s", id_, report=DONE))  # once


async def test_a_runner_that_goes_on_speaking_keeps_its_job() -> None:
    one = dispatch(lease=0.2)
    doing, id_ = await offered(one)
    one.begin(Begin("s", (id_,)))
    for _ in range(8):
        await asyncio.sleep(0.05)
        assert one.progress(Progress("s", (id_,))).stopped == ()
    assert not doing.done()
    await one.end(Ended("s", id_, report=DONE))
    await doing


async def test_a_server_that_stops_waits_for_no_runner() -> None:
    one = dispatch()
    doing, id_ = await offered(one)
    one.begin(Begin("s", (id_,)))
    asking = asyncio.ensure_future(one.poll("near", Poll("s", 1, after=one._version)))
    await asyncio.sleep(0)
    one.close()
    doing.cancel()
    async with asyncio.timeout(2):
        await asyncio.gather(asking, doing, return_exceptions=True)
    assert asking.done()
    assert doing.cancelled()


async def test_only_its_own_session_is_heard_about_a_job() -> None:
    one, heard = dispatch(), list[str]()
    doing = asyncio.ensure_future(one.do(CHANGE, said=lambda _, text: heard.append(text)))
    await asyncio.sleep(0)
    (job,) = (await one.poll("near", Poll("s", 1))).jobs
    one.begin(Begin("s", (job.id,)))
    one.progress(Progress("other", (job.id,), (Piece(job.id, "stdout", "a lie"),)))
    one.progress(Progress("s", (job.id,), (Piece(job.id, "stdout", "true"),)))
    assert not await one.end(Ended("other", job.id, report=DONE))
    assert heard == ["true"]
    doing.cancel()
    await one.end(Ended("s", job.id, reason="stopped"))
    await asyncio.gather(doing, return_exceptions=True)


async def test_a_refusal_of_every_runner_ends_the_waiting_and_of_one_does_not() -> None:
    one = dispatch()
    doing, id_ = await offered(one)
    await one.poll("second", Poll("t", 1))
    one.refuse(Refused("s", id_, "another edition"))
    await asyncio.sleep(0.02)
    assert not doing.done()
    one.refuse(Refused("t", id_, "another edition"))
    with pytest.raises(NotTaken, match="another edition"):
        await doing


async def test_a_runner_stopped_half_way_leaves_its_change_unknown(tmp_path: Path) -> None:
    async with remote() as hands:
        heard: asyncio.Queue[str] = asyncio.Queue()
        book = written("echo begun; sleep 60")
        running = asyncio.ensure_future(
            hands.run(book, approved=True, output=lambda _, __, text: heard.put_nowait(text))
        )
        await heard.get()
        assert hands.working is not None
        hands.working.cancel()
        (report,) = await running
    assert (report.outcome, report.reason) == ("unknown", "the runner was stopped: what came of it is not known")


async def test_a_runner_whose_token_is_revoked_ends_what_it_runs_and_stops() -> None:
    async with remote(lease=2) as hands:
        heard: asyncio.Queue[str] = asyncio.Queue()
        book = written("echo $$; sleep 60")
        running = asyncio.ensure_future(
            hands.run(book, approved=True, output=lambda _, __, text: heard.put_nowait(text))
        )
        leader = Path(f"/proc/{(await heard.get()).strip()}")
        hands.known.clear()
        assert hands.working is not None
        with pytest.raises(NotLetIn, match="a runner's token is needed"):
            await hands.working
        assert not (leader / "cmdline").exists() or not (leader / "cmdline").read_bytes()
        (report,) = await running
    assert report.outcome == "unknown"


async def test_a_document_that_the_runner_does_not_have_is_refused_with_the_reason() -> None:
    async with remote() as hands:
        (report,) = await hands.run(written("echo hello"), known=False)
    assert report.outcome == "unknown"
    assert report.reason.startswith("not run: the runner's own copy of the runbook is another edition")
    assert any(line.startswith("refused") for line in hands.told)


async def test_a_step_that_only_the_server_has_is_refused() -> None:
    async with remote() as hands:
        assert hands.holdings is not None
        mine, theirs = written("echo mine"), written("echo theirs")
        hands.holdings.add(mine)
        steps = [(1, only(theirs))]
        reports: list[StepReport] = []
        await hands.runner.run(
            steps, environment=(), values={}, side_by_side=False, approved=True, report=reports.append,
            document=mine.digest,
        )  # fmt: skip
    assert reports[0].outcome == "failed"
    assert "does not find this step in its own copy" in reports[0].reason


async def test_exports_that_only_the_server_has_make_it_another_step() -> None:
    async with remote() as hands:
        assert hands.holdings is not None
        mine = written("echo mine")
        hands.holdings.add(mine)
        reports: list[StepReport] = []
        await hands.runner.run(
            [(1, only(mine))], environment=["export PATH=/tmp/evil"], values={}, side_by_side=False, approved=True,
            report=reports.append, document=mine.digest,
        )  # fmt: skip
    assert "does not find this step" in reports[0].reason


async def test_names_to_pick_from_come_through_the_runner() -> None:
    async with remote() as hands:
        book = written("kubectl() { :; }; kubectl logs <pod-name> -n production")
        step = only(book)
        found = await cluster_of(hands).choices(step.placeholders[0], step, environment=())
        assert found.reason == "the runner's own copy of the runbook has no such step"


async def test_a_look_without_a_runner_is_unknown_and_says_why() -> None:
    async with remote(connected=False) as hands:
        step = only(written("kubectl rollout restart deployment/backend -n production"))
        footing = await cluster_of(hands).footing(step, environment=(), values={})
    assert footing.context == "unknown (no runner is connected: start `tocsin runner` near the cluster)"


def test_pauses_grow_to_a_bound_and_are_spread() -> None:
    assert [pause(n, 1) for n in (1, 2, 3)] == [0.6, 1.2, 2.4]
    assert pause(50, 1) == 20
    assert pause(50, 0) == 10


class Cut(httpx.AsyncBaseTransport):
    """A network that can be cut, and mended."""

    def __init__(self, behind: httpx.AsyncBaseTransport) -> None:
        self._behind = behind
        self.cut = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.cut:
            raise httpx.ConnectError("[Errno 101] Network is unreachable")
        return await self._behind.handle_async_request(request)


async def test_a_change_cut_off_from_its_server_is_ended_before_it_is_called_unknown() -> None:
    network: list[Cut] = []

    def through(behind: httpx.AsyncBaseTransport) -> Cut:
        network.append(Cut(behind))
        return network[0]

    async with remote(lease=1.5, through=through) as hands:
        heard: asyncio.Queue[str] = asyncio.Queue()
        book = written("echo $$; sleep 60")
        running = asyncio.ensure_future(
            hands.run(book, approved=True, output=lambda _, __, text: heard.put_nowait(text))
        )
        leader = Path(f"/proc/{(await heard.get()).strip()}")
        network[0].cut = True
        (report,) = await running
        assert not (leader / "cmdline").exists() or not (leader / "cmdline").read_bytes()
        assert report.outcome == "unknown"
        assert "nothing was heard of the runner near for 1.5 s" in report.reason
        assert any("could not be told of it" in line for line in hands.told)
        network[0].cut = False
        (again,) = await hands.run(written("echo hello"))
        assert again.stdout == "hello\n"


async def test_output_that_could_not_be_told_for_a_moment_is_told_later() -> None:
    network: list[Cut] = []

    def through(behind: httpx.AsyncBaseTransport) -> Cut:
        network.append(Cut(behind))
        return network[0]

    async with remote(lease=10, through=through) as hands:
        heard: asyncio.Queue[str] = asyncio.Queue()
        book = written("for n in $(seq 1 12); do echo $n; sleep 0.1; done")
        running = asyncio.ensure_future(hands.run(book, output=lambda _, __, text: heard.put_nowait(text)))
        said = await heard.get()
        network[0].cut = True
        await asyncio.sleep(0.5)
        network[0].cut = False
        (report,) = await running
        while not heard.empty():
            said += heard.get_nowait()
    assert report.outcome == "ok"
    assert report.stdout.startswith(said)
    assert said.startswith("1\n")
