from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from listening import Listener, SetClock, running, until

from tocsin.incident.alert import AlertStatus
from tocsin.signals.errors import SourceError
from tocsin.signals.lines import LINE_LIMIT, CommandLines, FileLines, FileTail, Lines, Splitter
from tocsin.signals.logwatch import LogRule, LogWatch

QUICK = timedelta(milliseconds=5)
RULE = LogRule(name="Errors in log", pattern=r"ERROR\b", threshold=2, labels={"service": "api"})


class Written:
    """Lines a test writes by hand; None stands for a source that cannot be read."""

    def __init__(self, *batches: list[str] | None) -> None:
        self.batches = list(batches)
        self.closed = False

    async def more(self) -> list[str]:
        if not self.batches:
            await asyncio.Event().wait()
        batch = self.batches.pop(0)
        if batch is None:
            raise SourceError("cannot read it")
        return batch

    async def close(self) -> None:
        self.closed = True


async def follow(lines: Lines, listener: Listener, rule: LogRule = RULE) -> None:
    watch = LogWatch(rule, lines, emit=listener.emit, clock=SetClock(), on_trouble=listener.on_trouble)
    await watch.run()


async def test_lines_that_match_often_enough_fire_once_with_the_last_of_them() -> None:
    listener = Listener()
    async with running(follow(Written(["ERROR one", "fine"], ["ERROR two", "ERROR three"]), listener)):
        alert = await listener.next()
    assert alert.labels == {"alertname": "Errors in log", "service": "api"}
    assert alert.annotations["sample"] == "ERROR two"
    assert alert.annotations["summary"] == "Errors in log: 2 lines within 60 s matched"
    assert listener.quiet


async def test_silence_resolves() -> None:
    listener = Listener()
    rule = LogRule(name="x", pattern="ERROR", resolve_after=timedelta(0))
    async with running(follow(Written(["ERROR"], []), listener, rule)):
        fired, ended = await listener.next(), await listener.next()
    assert (fired.status, ended.status) == (AlertStatus.FIRING, AlertStatus.RESOLVED)
    assert ended.fingerprint == fired.fingerprint


async def test_a_source_in_trouble_is_told_of_once_and_followed_on() -> None:
    listener = Listener()
    async with running(follow(Written(None, None, ["ERROR", "ERROR"]), listener)):
        await listener.next()
    assert listener.troubles == [("Errors in log", "cannot read it"), ("Errors in log", None)]


async def test_the_sample_is_redacted_and_the_source_closed_at_the_end() -> None:
    listener, source = Listener(), Written(["ERROR token=abc", "ERROR token=abc"])
    watch = LogWatch(RULE, source, emit=listener.emit, clock=SetClock(), redact=lambda line: line.replace("abc", "***"))
    async with running(watch.run()):
        alert = await listener.next()
    assert alert.annotations["sample"] == "ERROR token=***"
    assert source.closed


def test_a_pattern_that_is_none_is_refused_by_name() -> None:
    listener = Listener()
    with pytest.raises(ValueError, match="log watch x: pattern is not a regular expression"):
        LogWatch(LogRule(name="x", pattern="("), Written(), emit=listener.emit, clock=SetClock())


def test_lines_come_out_whole_whatever_the_pieces() -> None:
    splitter = Splitter()
    assert [splitter.feed(piece) for piece in (b"on", b"e\r\ntw", b"o\n\xff\n", b"rest")] == [
        [],
        ["one"],
        ["two", "�"],
        [],
    ]
    assert splitter.drop() == ["rest"]


def test_a_line_without_end_takes_bounded_memory() -> None:
    splitter = Splitter()
    for _ in range(10):
        splitter.feed(b"x" * LINE_LIMIT)
    assert [len(line) for line in splitter.feed(b"\n")] == [LINE_LIMIT]


def test_a_file_is_read_from_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("old\n")
    tail = FileTail(log)
    assert tail.read() == []
    with log.open("a") as writer:
        writer.write("new\n")
    assert tail.read() == ["new"]
    tail.close()


def test_a_file_that_appears_later_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "log"
    tail = FileTail(log)
    with pytest.raises(FileNotFoundError):
        tail.read()
    log.write_text("first\n")
    assert tail.read() == ["first"]
    tail.close()


def test_rotation_by_rename_loses_no_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("")
    tail = FileTail(log)
    tail.read()
    with log.open("a") as writer:
        writer.write("last of the old\nunfinished")
        log.rename(tmp_path / "log.1")
        log.write_text("first of the new\n")
    assert tail.read() == ["last of the old"]
    assert tail.read() == ["unfinished"]
    assert tail.read() == ["first of the new"]
    tail.close()


def test_a_file_renamed_away_is_followed_until_a_new_one_stands_there(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("")
    tail = FileTail(log)
    tail.read()
    log.rename(tmp_path / "log.1")
    with (tmp_path / "log.1").open("a") as writer:
        writer.write("late\n")
    assert tail.read() == ["late"]
    tail.close()


def test_truncation_in_place_starts_over(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("a long line\n")
    tail = FileTail(log)
    tail.read()
    log.write_text("short\n")
    assert tail.read() == ["short"]
    tail.close()


async def test_a_directory_is_not_followed(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not a regular file"):
        await FileLines(tmp_path, poll=QUICK).more()


async def test_a_watched_file_fires(tmp_path: Path) -> None:
    log, listener = tmp_path / "log", Listener()
    async with running(follow(FileLines(log, poll=QUICK), listener)):
        await until(lambda: listener.troubles)
        log.write_text("ERROR\nERROR\n")
        assert (await listener.next()).status is AlertStatus.FIRING
    assert listener.troubles == [
        ("Errors in log", f"cannot read {log}: No such file or directory"),
        ("Errors in log", None),
    ]


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


async def test_a_watched_command_fires_and_is_started_again_when_it_ends() -> None:
    listener = Listener()
    command = python("print('ERROR')")
    async with running(follow(CommandLines(command, poll=QUICK, first_restart=QUICK), listener)):
        assert (await listener.next()).annotations["sample"] == "ERROR"


async def test_a_command_that_fails_tells_its_last_words() -> None:
    lines = CommandLines(python("import sys; sys.exit('no such deployment')"), poll=QUICK, first_restart=QUICK)
    reasons: list[str] = []
    while not reasons:
        try:
            await lines.more()
        except SourceError as exc:
            reasons.append(exc.reason)
    await lines.close()
    assert reasons == [f"{sys.executable} ended with exit code 1: no such deployment"]


async def test_a_program_that_is_not_there_is_trouble_not_an_end() -> None:
    listener = Listener()
    lines = CommandLines(["tocsin-no-such-program"], poll=QUICK, first_restart=QUICK)
    async with running(follow(lines, listener)) as task:
        await until(lambda: listener.troubles)
        assert not task.done()
    assert listener.troubles[0][1] == "cannot start tocsin-no-such-program: No such file or directory"


async def test_cancelling_kills_the_whole_process_group(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    child = f"import os, time; open({str(told)!r}, 'w').write(f'{{os.getpid()}} '); time.sleep(600)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    async with running(follow(CommandLines(python(parent), poll=QUICK), Listener())):
        await until(lambda: told.exists() and told.read_text().endswith(" "))
    await until(lambda: _gone(int(told.read_text())))


def _gone(pid: int) -> bool:
    """Whether the process is dead; one that nobody has collected yet is."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
