"""Looks for a pattern in lines as they are written and says when it comes often. Refuses to judge."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from msgspec import Struct, field

from tocsin.engine.ports import Clock
from tocsin.incident.alert import Alert
from tocsin.signals.errors import SourceError
from tocsin.signals.lines import Lines
from tocsin.signals.matching import Found, Pattern
from tocsin.signals.thresholds import MatchWindow, Transition
from tocsin.signals.watching import Emit, Handover, OnTrouble, Subject, Trouble, firing_since, log_trouble

SOURCE = "log"
SAMPLE_LIMIT = 500
TOO_SLOW = "the pattern takes too long on some lines, which were passed over: write one that backtracks less"


class LogRule(Struct, frozen=True):
    """`threshold` lines that match the regular expression within `window` fire; none for `resolve_after` resolves."""

    name: str
    pattern: str
    threshold: int = 1
    window: timedelta = timedelta(minutes=1)
    resolve_after: timedelta = timedelta(minutes=5)
    labels: Mapping[str, str] = field(default_factory=dict)


class LogWatch:
    """A watcher of one source of lines.

    Lines are searched in a thread, each for a bounded time. The last matching line goes into the alert as `sample`,
    through `redact`. `firing` are alerts that an earlier run left firing, so that their end is told too. Raises
    ValueError for a rule that cannot be used.
    """

    def __init__(
        self,
        rule: LogRule,
        lines: Lines,
        *,
        emit: Emit,
        clock: Clock,
        on_trouble: OnTrouble = log_trouble,
        firing: Iterable[Alert] = (),
        redact: Callable[[str], str] = str,
    ) -> None:
        self._rule = rule
        self._pattern = _compiled(rule)
        self._lines = lines
        self._clock = clock
        self._redact = redact
        self._trouble = Trouble(rule.name, on_trouble)
        self._handover = Handover(emit, self._trouble)
        self._subject = Subject(rule.name, source=SOURCE, labels=rule.labels)
        self._window = MatchWindow(
            threshold=rule.threshold,
            window=rule.window,
            resolve_after=rule.resolve_after,
            firing_since=firing_since(firing, self._subject.fingerprint),
        )

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
        found = await asyncio.to_thread(self._pattern.found, lines) if lines else Found()
        if lines is not None:
            self._trouble.is_now(TOO_SLOW if found.unread else None)
        now = self._clock.now()
        for line in found.lines:
            if self._window.matched(now) is Transition.FIRED:
                await self._fired(line)
        began = self._window.firing_since
        if began and self._window.passed(now) is Transition.RESOLVED:
            said = {"summary": f"{self._rule.name}: no line matched for {spoken(self._rule.resolve_after)}"}
            await self._handover.give(self._subject.resolved(began, now, said))

    async def _fired(self, line: str) -> None:
        rule = self._rule
        times = "1 line" if rule.threshold == 1 else f"{rule.threshold} lines within {spoken(rule.window)}"
        said = {"summary": f"{rule.name}: {times} matched", "pattern": rule.pattern}
        said["sample"] = self._redact(line)[:SAMPLE_LIMIT]
        await self._handover.give(self._subject.firing(self._window.firing_since or self._clock.now(), said))


def _compiled(rule: LogRule) -> Pattern:
    if rule.threshold < 1:
        raise ValueError(f"log watch {rule.name}: threshold must be at least 1")
    try:
        return Pattern(rule.pattern)
    except ValueError as exc:
        raise ValueError(f"log watch {rule.name}: {exc}") from exc


def spoken(length: timedelta) -> str:
    return f"{length.total_seconds():g} s"
