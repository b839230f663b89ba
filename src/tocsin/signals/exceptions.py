"""Looks for stack traces in lines as they are written: each stack is an alert of its own. Refuses to judge."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct, field

from tocsin.engine.ports import Clock
from tocsin.incident.alert import Alert, AlertStatus
from tocsin.signals.errors import SourceError
from tocsin.signals.lines import Lines, unmarked
from tocsin.signals.logwatch import SOURCE, spoken
from tocsin.signals.thresholds import MatchWindow, Transition
from tocsin.signals.traces import Assembler, Trace
from tocsin.signals.watching import Emit, Handover, OnTrouble, Subject, Trouble, log_trouble

MOST_STACKS = 200
"""Different stacks that one watch follows at the same time."""
MOST_STREAMS = 500
STACK = "stack"
"""The label by which an alert names its stack."""
TEXT_LIMIT = 4000
TOO_MANY = f"more than {MOST_STACKS} different stacks within the time watched: further ones are not told"
LULL = 2
"""Empty looks in a row after which an open trace has come to its end."""


class ExceptionRule(Struct, frozen=True):
    """The same stack `threshold` times within `window` fires; not seen for `resolve_after` it resolves."""

    name: str
    threshold: int = 1
    window: timedelta = timedelta(minutes=1)
    resolve_after: timedelta = timedelta(minutes=5)
    labels: Mapping[str, str] = field(default_factory=dict)


class _Stack:
    """What is known of one stack."""

    def __init__(self, subject: Subject, window: MatchWindow, seen_at: datetime) -> None:
        self.subject = subject
        self.window = window
        self.seen_at = seen_at


class ExceptionWatch:
    """A watcher of one source of lines.

    Lines marked with their stream (`tocsin.signals.lines.unmarked`) are put together stream by stream. The trace goes
    into the alert through `redact`. `firing` are alerts that an earlier run left firing, so that their end is told too.
    """

    def __init__(
        self,
        rule: ExceptionRule,
        lines: Lines,
        *,
        emit: Emit,
        clock: Clock,
        on_trouble: OnTrouble = log_trouble,
        firing: Iterable[Alert] = (),
        redact: Callable[[str], str] = str,
    ) -> None:
        self._rule = rule
        self._lines = lines
        self._clock = clock
        self._redact = redact
        self._trouble = Trouble(rule.name, on_trouble)
        self._handover = Handover(emit, self._trouble)
        self._streams: dict[str, Assembler] = {}
        self._empty_looks = 0
        self._stacks = {a.labels[STACK]: self._left(a) for a in firing if _of_rule(a, rule)}

    async def run(self) -> None:
        """Follows until cancelled; the source is closed then, and what it started is stopped."""
        try:
            while True:
                await self._look(await self._more())
        finally:
            await self._lines.close()

    async def _more(self) -> list[str] | None:
        """None when the source cannot be read."""
        try:
            return await self._lines.more()
        except SourceError as exc:
            self._trouble.is_now(exc.reason)
            return None

    async def _look(self, lines: list[str] | None) -> None:
        traces = await asyncio.to_thread(self._traces, lines) if lines else self._ended()
        now = self._clock.now()
        followed = [await self._happened(trace, now) for trace in traces]
        if lines is not None:
            self._trouble.is_now(None if all(followed) else TOO_MANY)
        await self._tell_what_is_over(now)

    def _traces(self, lines: list[str]) -> list[Trace]:
        """The traces that these lines ended."""
        self._empty_looks = 0
        found: list[Trace] = []
        for line in lines:
            stream, text = unmarked(line)
            found += self._streams.setdefault(stream, Assembler()).feed(text)
        return found

    def _ended(self) -> list[Trace]:
        """What is open when nothing new was written for a while."""
        self._empty_looks += 1
        if self._empty_looks < LULL:
            return []
        ended = [trace for stream in self._streams.values() for trace in stream.end()]
        if len(self._streams) > MOST_STREAMS:
            self._streams.clear()
        return ended

    async def _happened(self, trace: Trace, now: datetime) -> bool:
        """Whether the trace is one of those followed."""
        key = trace.fingerprint
        stack = self._stacks.get(key)
        if stack is None:
            if len(self._stacks) >= MOST_STACKS:
                return False
            stack = self._stacks[key] = _Stack(self._subject(trace.kind, key), self._window(None), now)
        stack.seen_at = now
        if stack.window.matched(now) is Transition.FIRED:
            await self._handover.give(stack.subject.firing(stack.window.firing_since or now, self._said(trace)))
        return True

    async def _tell_what_is_over(self, now: datetime) -> None:
        """Says which stacks have not been seen for long enough, and forgets those that were never told."""
        for key, stack in list(self._stacks.items()):
            began = stack.window.firing_since
            if began and stack.window.passed(now) is Transition.RESOLVED:
                said = {"summary": f"{self._rule.name}: not seen for {spoken(self._rule.resolve_after)}"}
                await self._handover.give(stack.subject.resolved(began, now, said))
            if stack.window.firing_since is None and now - stack.seen_at >= self._rule.window:
                del self._stacks[key]

    def _said(self, trace: Trace) -> dict[str, str]:
        rule = self._rule
        times = "" if rule.threshold == 1 else f", {rule.threshold} times within {spoken(rule.window)}"
        return {
            "summary": self._redact(f"{rule.name}: {trace.kind} in {trace.where}{times}"),
            "description": self._redact(trace.message[:TEXT_LIMIT]),
            "sample": self._redact(trace.text[: TEXT_LIMIT * 4])[:TEXT_LIMIT],
        }

    def _subject(self, kind: str, key: str) -> Subject:
        told = {"alertname": self._rule.name, "exception": kind} | dict(self._rule.labels)
        return Subject(self._rule.name, source=SOURCE, labels=told | {STACK: key})

    def _window(self, firing_since: datetime | None) -> MatchWindow:
        rule = self._rule
        return MatchWindow(
            threshold=rule.threshold,
            window=rule.window,
            resolve_after=rule.resolve_after,
            firing_since=firing_since,
        )

    def _left(self, alert: Alert) -> _Stack:
        subject = self._subject(alert.labels.get("exception", ""), alert.labels[STACK])
        return _Stack(subject, self._window(alert.starts_at), alert.starts_at)


def _of_rule(alert: Alert, rule: ExceptionRule) -> bool:
    """Whether this rule left the alert firing."""
    wanted = {"alertname": rule.name} | dict(rule.labels)
    ours = alert.source == SOURCE and STACK in alert.labels and wanted.items() <= alert.labels.items()
    return ours and alert.status is AlertStatus.FIRING
