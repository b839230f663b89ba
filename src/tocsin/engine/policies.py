"""The policy of each incident: an incident keeps the runbook it opened with, whatever the file says later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tocsin.incident.policy import Policy
from tocsin.incident.state import Incident
from tocsin.runbook.reader import read


class Policies:
    """`current` is for what opens now. `kept` gives (file, text) of a runbook by digest, None when it is not kept."""

    def __init__(self, current: Policy, kept: Callable[[str], tuple[str, str] | None]) -> None:
        self.current = current
        self._kept = kept
        self._known = {current.runbook.digest: current}

    def of(self, incident: Incident) -> Policy:
        """The policy of an incident: its own runbook under today's roster and rules."""
        known = self._known.get(incident.runbook)
        if known is None:
            kept = self._kept(incident.runbook)
            if kept is None:
                return self.current
            file, text = kept
            known = self._known[incident.runbook] = replace(self.current, runbook=read(text, file=file).runbook)
        return known
