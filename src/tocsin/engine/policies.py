"""The policy of each incident: an incident keeps the runbook it opened with, whatever the file says later."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tocsin.incident.policy import Policy
from tocsin.incident.state import Incident
from tocsin.runbook.model import Runbook
from tocsin.runbook.reader import read


class Policies:
    """`current` is for what opens now and has no runbook of its own. `kept` gives (file, text) of a runbook by digest,
    None when it is not kept."""

    def __init__(self, current: Policy, kept: Callable[[str], tuple[str, str] | None]) -> None:
        self._kept = kept
        self._known: dict[tuple[str, tuple[str, ...]], Policy] = {}
        self._in_force: dict[str, Policy] = {}
        self.put_in_force(current)

    @property
    def current(self) -> Policy:
        return self._in_force[""]

    def put_in_force(self, policy: Policy, name: str = "") -> None:
        """What opens from now on by the runbook of that name has this policy; what is open keeps its own."""
        own = tuple(document.digest for document in policy.linked)
        self._known[(policy.runbook.digest, own)] = policy
        self._in_force[name] = policy

    def named(self, name: str) -> Policy:
        """The policy for what opens now by the runbook of that name; the main one's when there is none."""
        return self._in_force.get(name) or self.current

    def in_force(self) -> Mapping[str, Policy]:
        """Each with the name of its runbook, the main one first."""
        return self._in_force

    def of(self, incident: Incident) -> Policy:
        """The policy of an incident: its own runbook and linked documents under today's roster and rules."""
        key = (incident.runbook, incident.linked)
        known = self._known.get(key)
        if known is None:
            runbook = self._document(incident.runbook)
            if runbook is None:
                return self.current
            linked = tuple(filter(None, map(self._document, incident.linked)))
            known = self._known[key] = replace(self._now_of(runbook), runbook=runbook, linked=linked)
        return known

    def _now_of(self, runbook: Runbook) -> Policy:
        """What is in force for the same file now: its roster and its rules count for an older edition too."""
        return next((p for p in self._in_force.values() if p.runbook.file == runbook.file), self.current)

    def _document(self, digest: str) -> Runbook | None:
        """The document of that digest: one in force, else as it was kept."""
        for policy in self._in_force.values():
            for own in (policy.runbook, *policy.linked):
                if own.digest == digest:
                    return own
        kept = self._kept(digest)
        return read(kept[1], file=kept[0]).runbook if kept else None
