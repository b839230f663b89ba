"""The policy of each incident: an incident keeps the runbook it opened with, whatever the file says later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tocsin.incident.policy import Policy
from tocsin.incident.state import Incident
from tocsin.runbook.model import Runbook
from tocsin.runbook.reader import read


class Policies:
    """`current` is for what opens now. `kept` gives (file, text) of a runbook by digest, None when it is not kept."""

    def __init__(self, current: Policy, kept: Callable[[str], tuple[str, str] | None]) -> None:
        self._kept = kept
        self._known: dict[tuple[str, tuple[str, ...]], Policy] = {}
        self.put_in_force(current)

    def put_in_force(self, policy: Policy) -> None:
        """What opens from now on has this policy; what is open keeps its own."""
        own = tuple(document.digest for document in policy.linked)
        self._known[(policy.runbook.digest, own)] = policy
        self.current = policy

    def of(self, incident: Incident) -> Policy:
        """The policy of an incident: its own runbook and linked documents under today's roster and rules."""
        key = (incident.runbook, incident.linked)
        known = self._known.get(key)
        if known is None:
            runbook = self._document(incident.runbook)
            if runbook is None:
                return self.current
            linked = tuple(filter(None, map(self._document, incident.linked)))
            known = self._known[key] = replace(self.current, runbook=runbook, linked=linked)
        return known

    def _document(self, digest: str) -> Runbook | None:
        """The document of that digest: one in force, else as it was kept."""
        for own in (self.current.runbook, *self.current.linked):
            if own.digest == digest:
                return own
        kept = self._kept(digest)
        return read(kept[1], file=kept[0]).runbook if kept else None
