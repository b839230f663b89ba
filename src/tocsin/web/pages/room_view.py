"""What the incident room shows, worked out from the incident, its runbook and the roster. Fetches nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from tocsin.diagnosis.impact import Weighed, weighed
from tocsin.diagnosis.indicators import Suggested
from tocsin.diagnosis.walk import Position
from tocsin.engine.records import AlertRecord
from tocsin.incident.alert import AlertStatus
from tocsin.incident.approvers import leads
from tocsin.incident.checklists import Item, items, tick_of
from tocsin.incident.commands import PUBLIC_WORDS, update_asks
from tocsin.incident.events import Entry
from tocsin.incident.facts import Fact
from tocsin.incident.mitigations import UNFINISHED
from tocsin.incident.policy import TOCSIN, Actor, Context, Policy, Role
from tocsin.incident.state import Approval, Incident, Page, Run, Tick
from tocsin.incident.steps import STATUS_PAGE_TEMPLATES
from tocsin.incident.templates import public_texts, public_word
from tocsin.oncall.roster import Person
from tocsin.review.postmortem import facts_asked
from tocsin.runbook.model import Indicator, Mitigation, Purpose, Runbook, Severity
from tocsin.web.pages.approval_view import ApprovalView, approval_view
from tocsin.web.pages.linked_view import DocumentView, documents, opened_by
from tocsin.web.pages.owed_view import Owed, owed_next
from tocsin.web.pages.step_view import ProcedureView, procedure_view
from tocsin.web.pages.tree_view import Tree, linked, tree

_WAITING = ("pending", "approved", "running", "unknown")
_FACTS = (Fact.FOLLOW_UP.value, Fact.WENT_WELL.value, Fact.TO_IMPROVE.value)


@dataclass(frozen=True)
class PageView:
    """A page that was sent. `reached` is whether any channel delivered it; None while none has answered."""

    page: Page
    person: Person | None

    @property
    def name(self) -> str:
        return self.person.name if self.person else self.page.person

    @property
    def reached(self) -> bool | None:
        if self.page.delivered:
            return True
        return False if self.page.failed else None


@dataclass(frozen=True)
class Ticked:
    item: Item
    tick: Tick | None
    due_at: datetime | None = None

    @property
    def done(self) -> bool:
        return self.tick is not None and self.tick.done


@dataclass(frozen=True)
class Level:
    severity: Severity
    indicators: tuple[Indicator, ...]


@dataclass(frozen=True)
class Told:
    """What was typed into a form that was refused, to stand there again: `command` is the form's."""

    command: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)

    refused: Mapping[str, str] = field(default_factory=dict)
    """What was wrong with a field, by its name."""

    def value(self, command: str, name: str, otherwise: str = "") -> str:
        return self.fields.get(name, otherwise) if command == self.command else otherwise

    def of(self, command: str, name: str, value: str) -> bool:
        """Whether it is the form of that command whose field `name` holds `value`."""
        return command == self.command and self.fields.get(name) == value

    def why(self, name: str) -> str:
        """What was wrong with the field; empty when nothing was."""
        return self.refused.get(name, "")


@dataclass(frozen=True)
class Known:
    """What was read to show a room: the incident under its own policy, at one instant, asked for by `actor`."""

    incident: Incident
    policy: Policy
    position: Position
    now: datetime
    actor: Actor
    alerts: Sequence[AlertRecord]
    timeline: Sequence[Entry]
    missing: tuple[str, ...]
    awaited: bool = False
    indicators: Sequence[Suggested] = ()

    @property
    def weighed(self) -> Weighed | None:
        """What measurements make of the severity; None when they cannot speak of it, or nothing was looked at yet."""
        return weighed(self.policy.runbook, self.indicators)


class Room:
    """The view of one incident; every property is one panel's content."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.incident = known.incident
        self.policy = known.policy
        self.now = known.now
        self.actor = known.actor
        self.missing = known.missing

    @property
    def runbook(self) -> Runbook:
        return self.policy.runbook

    @property
    def over(self) -> bool:
        return self.incident.status.over

    @property
    def owner(self) -> str:
        return self.incident.commander or self.incident.acknowledged_by or ""

    # owed next

    @property
    def owed(self) -> tuple[Owed, ...]:
        return owed_next(self.incident, self.policy, self.now)

    # evidence

    @property
    def assessments(self) -> tuple[ProcedureView, ...]:
        return self._procedures(Purpose.ASSESSMENT)

    @property
    def investigations(self) -> tuple[ProcedureView, ...]:
        found = self._procedures(Purpose.INVESTIGATION)
        return found or self._procedures(Purpose.OTHER)

    @property
    def references(self) -> tuple[ProcedureView, ...]:
        others = self._procedures(Purpose.OTHER) if self._procedures(Purpose.INVESTIGATION) else ()
        return (*others, *self._procedures(Purpose.REFERENCE))

    @property
    def verifications(self) -> tuple[ProcedureView, ...]:
        return self._procedures(Purpose.VERIFICATION)

    def stoppable(self, procedure: ProcedureView) -> tuple[Run, ...]:
        """Its runs that a person may cancel: those under way, but for the one that watches the fix."""
        v = self.incident.verification
        watching = v.run if v is not None and v.status == "watching" else None
        return tuple(run for run in procedure.under_way if run.id != watching)

    @property
    def leads(self) -> bool:
        """Whether the actor may stop what changes production: a commander, or this incident's."""
        return self.actor.role.includes(Role.COMMANDER) or leads(self.incident, self.policy, self.actor)

    @property
    def may_break_glass(self) -> bool:
        return self.actor.role.includes(Role.ADMIN)

    @cached_property
    def documents(self) -> tuple[DocumentView, ...]:
        """The documents that the runbook links to, as far as they have something to run."""
        return documents(self.incident, self.runbook, self.policy.linked)

    def document(self, see: str | None) -> DocumentView | None:
        """The one that `see` of a leaf or mitigation names."""
        return opened_by(linked(self.runbook, see), self.documents)

    def under_way(self, slug: str) -> Approval | None:
        """The proposal of that mitigation or step that is not over yet."""
        return next((a for a in self.incident.approvals if a.slug == slug and a.status in UNFINISHED), None)

    def _procedures(self, purpose: Purpose) -> tuple[ProcedureView, ...]:
        return tuple(procedure_view(self.incident, self.runbook, p) for p in self.runbook.purpose(purpose))

    @property
    def levels(self) -> tuple[Level, ...]:
        runbook = self.runbook
        return tuple(Level(s, tuple(i for i in runbook.indicators if i.severity == s.name)) for s in runbook.severities)

    @property
    def firing(self) -> tuple[AlertRecord, ...]:
        return tuple(a for a in self.known.alerts if a.alert.status is AlertStatus.FIRING)

    # deciding and mitigating

    @property
    def tree(self) -> Tree | None:
        return tree(self.runbook, self.known.position)

    @cached_property
    def waiting(self) -> tuple[ApprovalView, ...]:
        """Proposals that want something of a person, or run now, newest first."""
        ctx = Context(self.now, self.actor, self.policy)
        found = (a for a in reversed(self.incident.approvals) if a.status in _WAITING)
        return tuple(approval_view(self.incident, a, ctx) for a in found)

    @property
    def tried(self) -> tuple[Approval, ...]:
        return tuple(a for a in reversed(self.incident.approvals) if a.status not in _WAITING)

    @property
    def actions(self) -> tuple[Mitigation, ...]:
        return self.runbook.actions()

    # telling

    @property
    def update_template(self) -> str:
        found = self.runbook.template("Update")
        return found.name if found else ""

    @property
    def update_asks(self) -> tuple[str, ...]:
        found = self.runbook.template("Update")
        return update_asks(self.incident, Context(self.now, TOCSIN, self.policy), found) if found else ()

    @property
    def cadence(self) -> timedelta | None:
        return self.runbook.cadence(self.incident.severity)

    @property
    def public_words(self) -> tuple[str, ...]:
        return PUBLIC_WORDS

    @property
    def public_word(self) -> str:
        return self.incident.public[-1].status if self.incident.public else public_word(self.incident.status)

    @property
    def public_sentences(self) -> Mapping[str, str]:
        template = next(filter(None, map(self.runbook.template, STATUS_PAGE_TEMPLATES)), None)
        return public_texts(template, self.incident.service or "our service")

    # the end and after

    @property
    def checks(self) -> tuple[Ticked, ...]:
        return self._ticked("verification")

    @property
    def tasks(self) -> tuple[Ticked, ...]:
        return self._ticked("post_incident")

    def _ticked(self, group: str) -> tuple[Ticked, ...]:
        ended = self.incident.resolved_at if self.over else None
        return tuple(
            Ticked(i, tick_of(self.incident, i.id), ended + i.within if ended and i.within else None)
            for i in items(self.runbook)
            if i.group == group
        )

    @property
    def open_checks(self) -> int:
        return sum(not c.done for c in self.checks)

    @property
    def missing_beside(self) -> tuple[str, ...]:
        """What keeps it from resolving beside the checklist, which shows its own open items."""
        return tuple(m for m in self.missing if m.removeprefix("open: ") not in {c.item.text for c in self.checks})

    @property
    def item_kinds(self) -> tuple[str, ...]:
        found = self.runbook.checklist("follow_up")
        return found.items if found else ()

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """(name, text) of what only people know, the postmortem's first; empty text where nothing is recorded."""
        known = self.incident.facts
        names = dict.fromkeys((*facts_asked(self.runbook), *_FACTS, *known))
        return tuple((name, known.get(name, "")) for name in names)

    # people

    @property
    def pages(self) -> tuple[PageView, ...]:
        return tuple(PageView(p, self.policy.roster.person(p.person)) for p in reversed(self.incident.pages))

    @property
    def unreached(self) -> tuple[PageView, ...]:
        """Pages that no channel delivered, while nobody owns the incident: people to call by hand."""
        if self.incident.acknowledged_at is not None:
            return ()
        return tuple(p for p in self.pages if p.reached is False)

    @property
    def people(self) -> tuple[Person, ...]:
        return tuple(self.policy.roster.people.values())

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles that can be paged: those of the matrix, in its order."""
        return tuple(dict.fromkeys(r.to for r in self.runbook.escalation))

    # timeline

    @property
    def newest_first(self) -> tuple[Entry, ...]:
        return tuple(reversed(self.known.timeline))

    @property
    def earlier(self) -> int:
        """The seq below which there is more of the timeline; 0 when this is all."""
        first = self.known.timeline[0].seq if self.known.timeline else 1
        return first if first > 1 else 0
