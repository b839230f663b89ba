"""One transaction's worth of deciding: events appended, folded, announced and saved together, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Protocol

from msgspec.structs import replace

from tocsin.engine.errors import NotFound
from tocsin.engine.policies import Policies
from tocsin.engine.storage import Transaction
from tocsin.incident import events as e
from tocsin.incident.deadlines import next_due
from tocsin.incident.fold import apply, begin
from tocsin.incident.policy import Actor, Context
from tocsin.incident.state import Incident
from tocsin.incident.work import Execute, Mitigate, Send, Work, announce


class Addressing(Protocol):
    """Which channels a message goes to."""

    def channels_for(self, send: Send) -> Sequence[str]:
        """Names of the channels that will carry it; empty when none can."""
        ...


class _Attempt:
    """A stage of the transaction, and what was announced inside taken back with it. No generator: every job has one."""

    __slots__ = ("_appended", "_before", "_stage")

    def __init__(self, stage: AbstractContextManager[None], appended: list[tuple[Incident, e.Entry]]) -> None:
        self._stage = stage
        self._appended = appended
        self._before = len(appended)

    def __enter__(self) -> None:
        self._stage.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if exc is not None:  # whatever ends it, a cancellation too
            del self._appended[self._before :]
        self._stage.__exit__(kind, exc, trace)


class Ledger:
    """Incidents of one transaction, told to it as they change; `now` is one instant for all of it."""

    def __init__(self, tx: Transaction, policies: Policies, addressing: Addressing, *, now: datetime) -> None:
        self.tx = tx
        self.now = now
        self.policies = policies
        self._addressing = addressing
        self.appended: list[tuple[Incident, e.Entry]] = []

    def get(self, ref: str) -> Incident:
        """The incident of that id or number. Raises NotFound."""
        found = self.tx.incident(ref) or (self.tx.incident_numbered(int(ref)) if is_number(ref) else None)
        if found is None:
            raise NotFound(f"no incident {ref}")
        return found

    def open_incident_of(self, service: str, *, drill: bool = False) -> Incident | None:
        """The service's incident that is not over, as this transaction sees it; none for a service without a name.

        A drill and what is real are kept apart.
        """
        return self.tx.open_incident_of(service, drill=drill) if service else None

    def open(self, id_: str, opened: e.Opened, *, actor: str) -> Incident:
        """A new incident with the next number."""
        entry = e.Entry(1, self.now, actor, opened)
        incident = begin(id_, self.tx.next_number(), entry)
        self._save(incident, new=True)
        self.tx.append(id_, [entry])
        self._record(None, entry, incident)
        return incident

    def append(self, incident: Incident, happened: Iterable[e.Event], *, actor: str) -> Incident:
        """The incident after these events. Raises TransitionError when the table refuses one."""
        entries = []
        work: list[Work] = []
        for event in happened:
            entry = e.Entry(incident.version + 1, self.now, actor, event)
            before, incident = incident, apply(incident, entry)
            work += self._record(before, entry, incident)
            entries.append(entry)
        if not entries:
            return incident
        self.tx.append(incident.id, entries)
        self._save(incident)
        return self._enqueue(incident, work)

    def decide(self, ref: str, actor: Actor, decide: Callable[[Incident, Context], Sequence[e.Event]]) -> Incident:
        """A command carried out: the incident after it. Raises what the decision raises."""
        incident = self.get(ref)
        return self.append(incident, decide(incident, self.context(incident, actor)), actor=actor.name)

    def context(self, incident: Incident, actor: Actor) -> Context:
        return Context(self.now, actor, self.policies.of(incident))

    def fall_back(self, incident: Incident, send: Send) -> Sequence[str]:
        """Sends a page that one channel failed to carry by the channels that its first ways left out; their names."""
        first = self._addressing.channels_for(send)
        others = [n for n in self._addressing.channels_for(replace(send, ways=())) if n not in first]
        to = send.person or "team"
        rows = [(f"{incident.id}:{send.key}:{to}:{name}", name, send) for name in others]
        self.tx.enqueue(incident.id, rows, now=self.now)
        return others

    def attempt(self) -> AbstractContextManager[None]:
        """What is appended inside is undone alone when it raises."""
        return _Attempt(self.tx.stage(), self.appended)

    def touch(self, incident: Incident) -> None:
        """Has the incident's next due time written even when nothing happened to it."""
        self._save(incident)

    def put_off(self, incident: Incident, until: datetime | None) -> None:
        """Like `touch`, by who just looked when the incident is next due."""
        self.tx.save(incident, lambda: until, new=False)

    def postpone(self, id_: str, by: timedelta) -> None:
        """After trouble: the clock looks at this incident again later, the others go on."""
        self.tx.postpone(id_, self.now + by)

    def _save(self, incident: Incident, *, new: bool = False) -> None:
        policies = self.policies
        self.tx.save(incident, lambda: next_due(incident, policies.of(incident)), new=new)

    def _record(self, before: Incident | None, entry: e.Entry, after: Incident) -> list[Work]:
        self.appended.append((after, entry))
        return list(announce(before, entry, after, self.policies.of(after)))

    def _enqueue(self, incident: Incident, work: Sequence[Work]) -> Incident:
        rows: list[tuple[str, str, Work]] = []
        unreachable: list[e.Event] = []
        for item in work:
            if not isinstance(item, Send):
                rows.append((f"{incident.id}:{_name(item)}", "", item))
                continue
            channels = self._addressing.channels_for(item)
            to = item.person or "team"
            rows += [(f"{incident.id}:{item.key}:{to}:{name}", name, item) for name in channels]
            if not channels and item.person:
                unreachable.append(e.MessageFailed(item.kind, "-", to, item.key, "no channel reaches this person"))
        self.tx.enqueue(incident.id, rows, now=self.now)
        return self.append(incident, unreachable, actor="tocsin") if unreachable else incident


def is_number(ref: str) -> bool:
    return ref.isascii() and ref.isdigit() and len(ref) < 10


def _name(work: Execute | Mitigate) -> str:
    return f"run:{work.run}" if isinstance(work, Execute) else f"mitigate:{work.approval}"
