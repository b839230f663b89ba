"""An incident played on a virtual clock, in memory: for tests and for `tocsin simulate`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from tocsin.incident import clock, commands
from tocsin.incident import events as e
from tocsin.incident.alert import Alert
from tocsin.incident.deadlines import next_due
from tocsin.incident.fold import apply, begin
from tocsin.incident.policy import TOCSIN, Actor, Context, Policy
from tocsin.incident.state import Incident
from tocsin.incident.work import Send, Work, announce
from tocsin.runbook.model import Purpose

E = TypeVar("E", bound=e.Event)
START = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)


class Drill:
    """One incident, its timeline and the work it brought about, with time that passes only when told."""

    def __init__(self, policy: Policy, *, start: datetime = START, observed: str | None = "ok") -> None:
        """`observed` is the outcome that every step of a verification has at once; None when it never answers."""
        self.policy = policy
        self.observed = observed
        self.now = start
        self.timeline: list[e.Entry] = []
        self.work: list[tuple[datetime, Work]] = []
        self._incident: Incident | None = None
        self._seen = 0

    @property
    def incident(self) -> Incident:
        """The incident as it is; only after `open`."""
        if self._incident is None:
            raise LookupError("the drill has not opened an incident yet")
        return self._incident

    def open(self, title: str = "checkout down", *, severity: str = "SEV1", service: str = "backend") -> Drill:
        ctx = self.context(TOCSIN)
        said = commands.opened(
            ctx, title=title, severity=severity, severity_reason="drill", service=service, source="drill"
        )
        self._append("drill", said)
        self._do("tocsin", commands.first_moves(self.incident, ctx))
        return self

    def alert(self, alert: Alert) -> None:
        self._do("alertmanager", commands.alert_changed(self.incident, self.context(TOCSIN), alert))

    def command(self, decide: Callable[[Incident, Context], Sequence[e.Event]], *, by: str = "Ana") -> None:
        """Somebody asks; raises what the decision raises, and then nothing has changed."""
        self._do(by, decide(self.incident, self.context(Actor(by))))

    def acknowledge(self, by: str = "Ana") -> None:
        self.command(lambda i, ctx: commands.acknowledge(i, ctx, via="drill"), by=by)

    def after(self, **length: float) -> list[str]:
        """Lets time pass (`minutes=14, seconds=59`); the roles paged meanwhile, in order."""
        until = self.now + timedelta(**length)
        self.pages()
        while (due := next_due(self.incident, self.policy)) is not None and due <= until:
            self.now = max(self.now, due)
            happened = clock.due(self.incident, self.context(TOCSIN))
            if not happened:
                break
            self._do("tocsin", happened)
        self.now = until
        return self.pages()

    def pages(self) -> list[str]:
        """The roles paged since last asked, in order."""
        return [w.role for w in self.sends("page")]

    def sends(self, *kinds: str) -> list[Send]:
        """The messages owed since last asked, in order, of the given kinds (all when none is given)."""
        new, self._seen = self.work[self._seen :], len(self.work)
        return [w for _, w in new if isinstance(w, Send) and (not kinds or w.kind in kinds)]

    def events(self, kind: type[E]) -> list[E]:
        """What happened so far of one kind, in order."""
        return [entry.event for entry in self.timeline if isinstance(entry.event, kind)]

    def context(self, actor: Actor) -> Context:
        return Context(self.now, actor, self.policy)

    def retime(self, **changes: object) -> None:
        """Another policy from now on, e.g. `rules=...` or `roster=...`."""
        self.policy = replace(self.policy, **changes)  # type: ignore[arg-type]

    def _do(self, actor: str, happened: Sequence[e.Event]) -> None:
        """All of them or, when the table refuses one, none."""
        self._append(actor, *happened)
        for event in happened:
            if isinstance(event, e.RunStarted) and event.purpose == Purpose.VERIFICATION and self.observed:
                steps = zip(event.indices, event.steps, strict=True)
                self._append("tocsin", *(e.StepFinished(event.run, n, t, self.observed, "seen") for n, t in steps))

    def _append(self, actor: str, *happened: e.Event) -> None:
        incident, entries, work = self._incident, list(self.timeline), list(self.work)
        for event in happened:
            entry = e.Entry(len(entries) + 1, self.now, actor, event)
            before, incident = incident, apply(incident, entry) if incident else begin("drill", 1, entry)
            entries.append(entry)
            work += [(self.now, w) for w in announce(before, entry, incident, self.policy)]
        self._incident, self.timeline, self.work = incident, entries, work
