"""Runs a step's own bytes in bash, in a process group of its own, and brings back bounded, redacted output.

Never interpolates: values travel in the environment. The shell gets no terminal, no input, a scratch directory that is
removed afterwards, and only the environment variables that the settings allow.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import tempfile
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import Struct, field

from tocsin.procedures import cgroup
from tocsin.procedures.capture import Capture
from tocsin.procedures.chores import Chores
from tocsin.procedures.errors import RefusedError
from tocsin.procedures.orphans import SERVER, this_server
from tocsin.procedures.outcome import Ending, HttpAnswer, judge
from tocsin.procedures.processes import MARK, end_leftovers, since_boot, stop
from tocsin.procedures.redaction import redactor
from tocsin.procedures.results import Outcome, StepResult, digest
from tocsin.procedures.usage import Allowance, Census, Watched, breach, tasks_of
from tocsin.procedures.values import environment_of, substitute
from tocsin.runbook.model import Placeholder, Step

Output = Callable[[str, str], None]
"""Called with ("stdout" | "stderr", text) as redacted output arrives, up to the head that is kept."""

_ALLOWED = ("HOME", "PATH", "KUBECONFIG", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "USER", "LOGNAME",
            "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy",
            "no_proxy")  # fmt: skip
_QUIET = {
    "TERM": "dumb",
    "PAGER": "cat",
    "NO_COLOR": "1",
    "PSQL_PAGER": "cat",
    "SYSTEMD_PAGER": "cat",
    "GIT_PAGER": "cat",
}
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ROOM = 32
_SHARED = 768
"""Processes that other steps, and the server, may start meanwhile: RLIMIT_NPROC counts all of a user's."""
_DRAIN = 2.0  # seconds to read on after everything that could write has been killed
_MERGES = re.compile(r"2>&1|&>|\|&|>&2")


class Settings(Struct, frozen=True):
    """How steps run. `environment` is added to what is allowed through from the server's own.

    Durations apply to one step; `output_cap` is per stream, `file_size` the largest file a step may write, in bytes.
    `niceness` is how much its processes yield to the server (setpriority(2)); `groups` has each step run in a control
    group of its own where there can be one.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    allowed: tuple[str, ...] = _ALLOWED
    timeout: timedelta = timedelta(seconds=60)
    grace: timedelta = timedelta(seconds=5)
    output_cap: int = 256 * 1024
    file_size: int = 64 * 1024 * 1024
    open_files: int = 1024
    niceness: int = 5
    allowance: Allowance = Allowance()
    groups: bool = True
    shell: str = "/bin/bash"

    def __repr__(self) -> str:
        return f"Settings(environment={sorted(self.environment)}, timeout={self.timeout}, shell={self.shell!r})"


class _Run(Struct, frozen=True):
    """What one process needs: its code and variables, its scratch folder, and the mark that tells it apart."""

    code: str
    environment: dict[str, str]
    scratch: str
    mark: str
    group: cgroup.Group | None = None


class Runner:
    """Runs shell text. `now` gives aware UTC instants; `inherited` is the server's environment."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        inherited: Mapping[str, str] | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.now = now
        self._hide = redactor(self.settings.environment)
        self._inherited = dict(os.environ if inherited is None else inherited)
        self._chores = Chores()
        self._groups: Path | None = None
        self._looked_for_groups = False
        self._census = Census(self._chores)

    async def run_step(
        self,
        step: Step,
        *,
        environment: Sequence[str] = (),
        values: Mapping[str, str] | None = None,
        limit: timedelta | None = None,
        on_output: Output | None = None,
    ) -> StepResult:
        """The result of a shell step: its `poll_command` once if it is a poll, else its command.

        It may take `limit`, by default the settings' time-out. A value or place that must not be used gives the outcome
        `refused`, and nothing runs. Cancelling ends every process of the step.
        """
        command = step.poll_command if step.poll is not None else step.command
        started = self.now()
        try:
            code = self._code(command, environment, step.placeholders)
            carried = environment_of(step.placeholders, values or {})
        except RefusedError as error:
            return self.without_running(step, Outcome.REFUSED, str(error))
        if doubt := await self._misunderstood(code):
            return self.without_running(step, Outcome.REFUSED, doubt)
        limit = limit or self.settings.timeout
        ending = await self._run(code, carried, limit=limit, merges=bool(_MERGES.search(command)), on_output=on_output)
        # Stopped half-way it may have done anything: neither well nor failed is known.
        outcome, reason = (Outcome.UNKNOWN, ending.breach) if ending.breach else judge(command, ending, timeout=limit)
        return StepResult(
            title=step.title,
            kind=step.kind,
            step_class=step.step_class,
            exit_code=ending.exit_code,
            outcome=outcome,
            reason=self._hide(reason),
            stdout=ending.stdout,
            stderr=ending.stderr,
            cut_bytes=ending.cut,
            started_at=started,
            ended_at=self.now(),
            digest=digest(ending.stdout, ending.stderr),
        )

    def without_running(self, step: Step, outcome: Outcome, reason: str) -> StepResult:
        """The result of a step that no process was started for."""
        now = self.now()
        return StepResult(
            step.title, step.kind, step.step_class, None, outcome, reason, "", "", 0, now, now, digest("", "")
        )

    def _code(self, command: str, environment: Sequence[str], placeholders: Sequence[Placeholder]) -> str:
        """What bash is given: limits, the document's exports, then the step's own bytes."""
        blocks = self.settings.file_size // 1024
        lines = [f"ulimit -c 0; ulimit -f {blocks}; ulimit -n {self.settings.open_files} 2>/dev/null"]
        lines += [substitute(line, placeholders) for line in environment]
        return "\n".join([*lines, substitute(command, placeholders)])

    async def _misunderstood(self, code: str) -> str | None:
        """What bash says against the code as a whole (`bash -n`), None when it understands it.

        Asked first, because bash runs the lines before a syntax error.
        """
        arguments = ("--noprofile", "--norc", "-n", "-c", code)
        try:
            asked = await asyncio.create_subprocess_exec(
                self.settings.shell, *arguments, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, env={"LC_ALL": "C.UTF-8"}
            )
        except OSError as error:
            return f"{self.settings.shell}: {error.strerror}"
        _, said = await asked.communicate()
        if asked.returncode == 0:
            return None
        first = said.decode("utf-8", "replace").strip().split("\n")[0]
        return self._hide(f"bash does not understand it: {first.removeprefix('bash: ').removeprefix('-c: ')[:300]}")

    async def _run(
        self, code: str, carried: Mapping[str, str], *, limit: timedelta, merges: bool, on_output: Output | None
    ) -> Ending:
        mark = f"{this_server()}-{secrets.token_hex(12)}"
        scratch, group, opening = await self._chores.do(self._prepare, mark)
        try:
            if not merges:
                await self._chores.do(_write_curlrc, scratch, mark)
            run = _Run(opening + code, self._environment(scratch, mark) | dict(carried), scratch, mark, group)
            return await self._watched(run, limit, on_output)
        finally:
            await self._chores.do(_tidy, scratch, group)

    def _prepare(self, mark: str) -> tuple[str, cgroup.Group | None, str]:
        """A step's scratch folder, its control group if there can be one, and what its shell does before all else."""
        if self.settings.groups and not self._looked_for_groups:
            self._groups, self._looked_for_groups = cgroup.base(), True
        # a little above what ends the step, so that it is ended with its reason and does not just crawl
        most = self.settings.allowance.processes + _ROOM
        group = cgroup.make(self._groups, mark, most=most)
        lines = [group.entering] if group is not None else []
        if (group is None or not group.limited) and os.geteuid() != 0:  # root is above this limit
            lines.append(f"ulimit -u {tasks_of(os.geteuid()) + _SHARED + most} 2>/dev/null")
        return tempfile.mkdtemp(prefix="tocsin-step-"), group, "".join(f"{line}\n" for line in lines)

    async def _watched(self, run: _Run, limit: timedelta, on_output: Output | None) -> Ending:
        out_end, err_end = os.pipe(), os.pipe()
        process, began = None, since_boot() if hasattr(time, "CLOCK_BOOTTIME") else 0
        try:
            process = await self._start(run, out_end[1], err_end[1])
        except OSError as error:
            return Ending(None, "", f"{self.settings.shell}: {error.strerror}", 0, False, ())
        finally:
            for write, read in ((out_end[1], out_end[0]), (err_end[1], err_end[0])):
                os.close(write)
                if process is None:
                    os.close(read)
        out = Capture(cap=self.settings.output_cap, marker=run.mark, show=_shower(on_output, "stdout"), hide=self._hide)
        err = Capture(cap=self.settings.output_cap, marker=run.mark, show=_shower(on_output, "stderr"), hide=self._hide)
        readers = [asyncio.ensure_future(_pump(out_end[0], out)), asyncio.ensure_future(_pump(err_end[0], err))]
        guard = asyncio.ensure_future(self._guard(process, run))
        timed_out, excess = False, ""
        try:
            timed_out, excess = await _first(process, guard, limit)
        finally:
            guard.cancel()
            grace = 0.0 if excess else self.settings.grace.total_seconds()
            # Shielded: a cancelled step must not leave its processes behind.
            await asyncio.shield(asyncio.ensure_future(self._end(process, run, readers, grace=grace, since=began)))
        (stdout, cut_out), (stderr, cut_err) = out.finish(), err.finish()
        answers = tuple(HttpAnswer.parse(mark) for mark in [*out.marks, *err.marks])
        return Ending(process.returncode, stdout, stderr, cut_out + cut_err, timed_out, answers, excess)

    async def _guard(self, process: Process, run: _Run) -> str:
        with suppress(OSError):  # ended already, or not ours to slow down
            os.setpriority(os.PRIO_PGRP, process.pid, self.settings.niceness)
        step = Watched(process.pid, run.mark, run.scratch, run.group)
        return await breach(self._census, self.settings.allowance, step)

    async def _end(
        self, process: Process, run: _Run, readers: Sequence[asyncio.Future[None]], *, grace: float, since: int
    ) -> None:  # fmt: skip
        await stop(process, grace=grace)
        await self._chores.do(end_leftovers, process.pid, run.mark, since=since)
        if run.group is not None:
            await self._chores.do(run.group.end)
        _, late = await asyncio.wait(readers, timeout=_DRAIN)
        for reader in late:
            reader.cancel()

    async def _start(self, run: _Run, stdout: int, stderr: int) -> Process:
        # Pipes of our own: with asyncio's, waiting for the leader would also wait for orphans that hold them open.
        return await asyncio.create_subprocess_exec(
            self.settings.shell, "--noprofile", "--norc", "-c", run.code,
            stdin=DEVNULL, stdout=stdout, stderr=stderr, env=run.environment, cwd=run.scratch,
            start_new_session=True, umask=0o077, close_fds=True,
        )  # fmt: skip

    def _environment(self, scratch: str, mark: str) -> dict[str, str]:
        inherited = {name: self._inherited[name] for name in self.settings.allowed if name in self._inherited}
        own = {"TMPDIR": scratch, "CURL_HOME": scratch, MARK: mark, SERVER: this_server()}
        return {"PATH": _DEFAULT_PATH} | _QUIET | inherited | dict(self.settings.environment) | own


async def _first(process: Process, guard: asyncio.Future[str], limit: timedelta) -> tuple[bool, str]:
    """(whether the time ran out, what it used too much of) once the process ended, or has to."""
    waiter = asyncio.ensure_future(process.wait())
    either: set[asyncio.Future[int] | asyncio.Future[str]] = {waiter, guard}
    try:
        await asyncio.wait(either, timeout=limit.total_seconds(), return_when=asyncio.FIRST_COMPLETED)
        if waiter.done():
            return False, ""
        return not guard.done(), guard.result() if guard.done() else ""
    finally:
        waiter.cancel()


def _tidy(scratch: str, group: cgroup.Group | None) -> None:
    """Cancelled or not, nothing of the step is left: not a process, not a file."""
    if group is not None:
        group.end()
    shutil.rmtree(scratch, ignore_errors=True)


def _write_curlrc(scratch: str, mark: str) -> None:
    """Has every curl of the step say its HTTP status, which `curl -s` alone keeps to itself (curl(1), --write-out)."""
    line = f'write-out = "%{{stderr}}{mark} %{{http_code}} %{{url_effective}}\\n"\n'
    Path(scratch, ".curlrc").write_text(line)


def _shower(on_output: Output | None, stream: str) -> Callable[[str], None] | None:
    return None if on_output is None else lambda text: on_output(stream, text)


async def _pump(descriptor: int, capture: Capture) -> None:
    """Feeds a pipe's bytes to the capture until nobody can write to it any more, then closes it."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    pipe = os.fdopen(descriptor, "rb", buffering=0)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    try:
        while data := await reader.read(65536):
            capture.feed(data)
    finally:
        transport.close()
