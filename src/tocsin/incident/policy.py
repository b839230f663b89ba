"""What an incident is measured against: the runbook in force, the roster, the settings a runbook leaves open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from tocsin.oncall.roster import Roster
from tocsin.runbook.model import Runbook, Rung


class AfterAcknowledge(StrEnum):
    """What a rung does that falls due after an acknowledge, while the impact lasts."""

    INFORM = "inform"
    PAGE = "page"
    STOP = "stop"


class AfterQuiet(StrEnum):
    """What is done once every alert of an incident has been silent for a while."""

    PROPOSE = "propose"
    RESOLVE = "resolve"
    NOTHING = "nothing"


class Role(StrEnum):
    """What a person may do, each including the ones before it."""

    VIEWER = "viewer"
    RESPONDER = "responder"
    COMMANDER = "commander"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        order = list(Role)
        return order.index(self) >= order.index(other)


class Rules(Struct, frozen=True):
    """Built-in defaults for what a runbook leaves open; `tocsin.toml` overrides each."""

    immediate: timedelta = timedelta(minutes=5)
    after_acknowledge: AfterAcknowledge = AfterAcknowledge.INFORM
    first_role: str | None = None
    approval_expires: timedelta = timedelta(minutes=30)
    approve_change: Role = Role.RESPONDER
    approve_destructive: Role = Role.RESPONDER
    publish_automatically: bool = True
    watch_window: tuple[timedelta, timedelta] = (timedelta(minutes=15), timedelta(minutes=30))
    repeat_reminder: timedelta = timedelta(days=1)
    reminders: int = 3
    severity_labels: Mapping[str, str] = {}
    quiet: timedelta = timedelta(minutes=10)
    after_quiet: AfterQuiet = AfterQuiet.PROPOSE
    depends_on: Mapping[str, tuple[str, ...]] = {}
    """By service, the services that it needs."""


@dataclass(frozen=True)
class Policy:
    """Runbook, roster and rules together. Pure: the same policy and instant give the same answer."""

    runbook: Runbook
    roster: Roster
    rules: Rules = field(default_factory=Rules)
    link: str = ""
    """The incident's own page, with `{number}` where its number goes."""
    linked: tuple[Runbook, ...] = ()
    """The documents that the runbook links to, as far as they stand beside it."""
    _ladders: dict[str, tuple[tuple[str, Rung], ...]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )
    _responses: dict[str, timedelta | None] = field(default_factory=dict, init=False, compare=False, repr=False)

    def response(self, severity: str) -> timedelta | None:
        """Time to acknowledge; "Immediate" is measured against `rules.immediate`. None when the runbook gives none."""
        if severity not in self._responses:
            level = self.runbook.severity(severity)
            given = level.response if level else None
            self._responses[severity] = self.rules.immediate if given is not None and not given else given
        return self._responses[severity]

    def first_role(self, severity: str) -> str:
        """Who is paged when the incident opens: the lowest rung's role (the response flow's first box).

        A level without a rung takes the matrix's first, and without a matrix it is `FIRST_ROLE`: somebody hears
        of every incident.
        """
        if self.rules.first_role:
            return self.rules.first_role
        rungs = self.rungs(severity) or self.runbook.escalation
        return rungs[0].to if rungs else FIRST_ROLE

    def rungs(self, severity: str) -> tuple[Rung, ...]:
        """The timed rungs of one severity, soonest first."""
        return tuple(rung for _, rung in self.ladder(severity))

    def ladder(self, severity: str) -> tuple[tuple[str, Rung], ...]:
        """The timed rungs of one severity with their names, soonest first."""
        known = self._ladders.get(severity)
        if known is None:
            rungs = self.runbook.rungs(severity)
            known = self._ladders[severity] = tuple((rung_name(rung), rung) for rung in rungs)
        return known

    def severity_for(self, labels: Mapping[str, str]) -> tuple[str, str] | None:
        """The level an alert's `severity` label suggests and why, or None for an alert that is no incident.

        A label that names a level of the runbook is that level. `none` (Watchdog and other heartbeats) is no incident.
        """
        label = labels.get("severity", "")
        if label.casefold() == "none":
            return None
        names = [s.name for s in self.runbook.severities]
        own = {n.casefold(): n for n in names}
        given = {k.casefold(): v for k, v in self.rules.severity_labels.items()}
        said = f"alert label severity={label}" if label else "the alert carries no severity label"
        for known in (own, given):
            if label.casefold() in known:
                return known[label.casefold()], said
        if "default" in given:
            return given["default"], f"{said}: the configured default"
        rank = _RANK.get(label.casefold(), _RANK["warning"])
        return (names[min(rank, len(names) - 1)] if names else "SEV1"), f"{said}: level {rank + 1} by default"


def rung_name(rung: Rung) -> str:
    """A rung's time and role, so that a change of severity never pages the same rung twice."""
    return f"rung:{int(rung.after.total_seconds()) if rung.after is not None else 0}:{rung.to}"


FIRST_ROLE = "On-call"
_RANK = {
    "critical": 0,
    "page": 0,
    "error": 1,
    "high": 1,
    "major": 1,
    "warning": 2,
    "medium": 2,
    "p1": 0,
    "p2": 1,
    "p3": 2,
    "p4": 3,
    "p5": 3,
    "minor": 3,
    "low": 3,
    "info": 3,
}


@dataclass(frozen=True)
class Actor:
    """Who does something: `name` stands on the timeline; `role` says what they may."""

    name: str
    role: Role = Role.RESPONDER


TOCSIN = Actor("tocsin", Role.ADMIN)


@dataclass(frozen=True)
class Context:
    """The instant and the actor of one decision, with the policy it is taken under."""

    at: datetime
    actor: Actor
    policy: Policy
