"""One transaction's worth of deciding: events appended, folded, announced and saved together, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

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


class Ledger:
    """Incidents of one transaction. What was appended is saved by `save`; `now` is one instant for all of it."""

    def __init__(self, tx: Transaction, policies: Policies, addressing: Addressing, *, now: datetime) -> None:
        self.tx = tx
        self.now = now
        self.policies = policies
        self._addressing = addressing
        self._loaded: dict[str, Incident] = {}
        self._new: set[str] = set()
        self._changed: dict[str, None] = {}
        self.appended: list[tuple[Incident, e.Entry]] = []

    def get(self, ref: str) -> Incident:
        """The incident of that id or number. Raises NotFound."""
        if ref in self._loaded:
            return self._loaded[ref]
        found = self.tx.incident(ref) or (self.tx.incident_numbered(int(ref)) if is_number(ref) else None)
        if found is None:
            raise NotFound(f"no incident {ref}")
        return self._loaded.setdefault(found.id, found)

    def open_incident_of(self, service: str) -> Incident | None:
        """The service's incident that is not over, as this transaction sees it; none for a service without a name."""
        if not service:
            return None
        for incident in self._loaded.values():
            if incident.service == service and not incident.status.over:
                return incident
        found = self.tx.open_incident_of(service)
        if found is None or (found.id in self._loaded and self._loaded[found.id].status.over):
            return None
        return self._loaded.setdefault(found.id, found)

    def open(self, id_: str, opened: e.Opened, *, actor: str) -> Incident:
        """A new incident with the next number."""
        entry = e.Entry(1, self.now, actor, opened)
        number = max([self.tx.next_number(), *(i.number + 1 for i in self._loaded.values() if i.id in self._new)])
        incident = begin(id_, number, entry)
        self._new.add(id_)
        self._record(None, entry, incident)
        self._write_row(incident)
        self.tx.append(id_, [entry])
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
        self.tx.append(incident.id, entries)
        return self._enqueue(incident, work)

    def decide(self, ref: str, actor: Actor, decide: Callable[[Incident, Context], Sequence[e.Event]]) -> Incident:
        """A command carried out: the incident after it. Raises what the decision raises."""
        incident = self.get(ref)
        return self.append(incident, decide(incident, self.context(incident, actor)), actor=actor.name)

    def context(self, incident: Incident, actor: Actor) -> Context:
        return Context(self.now, actor, self.policies.of(incident))

    def save(self) -> None:
        """Writes every incident that changed, with the instant its clock next has something to do."""
        for id_ in self._changed:
            incident = self._loaded[id_]
            self.tx.save(incident, next_due(incident, self.policies.of(incident)), new=False)
        self._changed.clear()

    def touch(self, incident: Incident) -> None:
        """Has the incident's next due time written even when nothing happened to it."""
        self._changed[incident.id] = None

    def postpone(self, id_: str, by: timedelta) -> None:
        """After trouble: the clock looks at this incident again later, the others go on."""
        self.tx.postpone(id_, self.now + by)

    def _write_row(self, incident: Incident) -> None:
        self.tx.save(incident, self.now, new=True)

    def _record(self, before: Incident | None, entry: e.Entry, after: Incident) -> list[Work]:
        self._loaded[after.id] = after
        self._changed[after.id] = None
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
