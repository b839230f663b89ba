"""All signals ended: proposed to resolve after a while, or resolved by itself, never before what a person owes."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from tocsin.incident import commands
from tocsin.incident import events as e
from tocsin.incident.alert import Alert, AlertStatus
from tocsin.incident.checklists import items
from tocsin.incident.deadlines import Kind, deadlines
from tocsin.incident.drill import Drill
from tocsin.incident.policy import AfterQuiet, Policy, Rules
from tocsin.incident.state import Status
from tocsin.incident.work import Send
from tocsin.runbook.model import Purpose

MINUTE = timedelta(minutes=1)


def alert(drill: Drill, status: str, name: str = "HighErrorRate") -> None:
    drill.alert(Alert(name, AlertStatus(status), {"alertname": name}, {}, drill.now, None, "alertmanager"))


def quiet(policy: Policy, *, owned: bool = True, **rules: object) -> Drill:
    """An incident whose two alerts stopped five and six minutes in; a watch of 15 to 30 minutes began then."""
    drill = Drill(policy)
    drill.retime(rules=Rules(**rules))  # type: ignore[arg-type]
    drill.open()
    alert(drill, "firing")
    alert(drill, "firing", "Slow")
    if owned:
        drill.acknowledge()
    drill.after(minutes=5)
    alert(drill, "resolved")
    drill.after(minutes=1)
    alert(drill, "resolved", "Slow")
    drill.sends()
    return drill


def unwatched(policy: Policy) -> Policy:
    """The same runbook without a procedure or checklist for verifying."""
    book = policy.runbook
    kept = tuple(p for p in book.procedures if p.purpose is not Purpose.VERIFICATION)
    lists = tuple(c for c in book.checklists if c.purpose != "verification")
    return Policy(msgspec.structs.replace(book, procedures=kept, checklists=lists), policy.roster, policy.rules)


def owed(drill: Drill) -> list[timedelta]:
    """How long until the quiet is acted on."""
    return [d.due_at - drill.now for d in deadlines(drill.incident, drill.policy) if d.kind is Kind.QUIET]


def tick_all(drill: Drill) -> None:
    for item in items(drill.policy.runbook):
        if item.group == "verification":
            drill.command(lambda i, ctx, id_=item.id: commands.tick(i, ctx, item=id_, done=True))  # type: ignore[misc]


def test_it_is_proposed_once_the_watch_may_end_and_said_to_the_team(policy: Policy) -> None:
    drill = quiet(policy)
    assert owed(drill) == [15 * MINUTE]
    drill.after(minutes=14, seconds=59)
    assert drill.events(e.ResolveProposed) == []
    drill.after(seconds=1)
    (said,) = drill.events(e.ResolveProposed)
    assert said.missing
    (message,) = (w for _, w in drill.work if isinstance(w, Send) and w.key.startswith("quiet:"))
    assert message.text.startswith("All signals of “checkout down” ended 15 min ago: resolve?")
    assert owed(drill) == []


def test_without_a_watch_it_is_proposed_after_ten_minutes(policy: Policy) -> None:
    drill = quiet(unwatched(policy))
    drill.after(minutes=9, seconds=59)
    assert drill.events(e.ResolveProposed) == []
    drill.after(seconds=1)
    assert len(drill.events(e.ResolveProposed)) == 1


def test_an_alert_that_fires_again_takes_it_back_and_the_next_quiet_counts_anew(policy: Policy) -> None:
    drill = quiet(unwatched(policy))
    drill.after(minutes=9)
    alert(drill, "firing")
    assert owed(drill) == []
    drill.after(minutes=20)
    alert(drill, "resolved")
    assert owed(drill) == [10 * MINUTE]
    assert drill.events(e.ResolveProposed) == []


def test_while_one_alert_of_several_fires_nothing_is_owed(policy: Policy) -> None:
    drill = Drill(policy).open()
    alert(drill, "firing")
    alert(drill, "firing", "Slow")
    alert(drill, "resolved")
    assert owed(drill) == []


def test_after_a_proposal_that_was_overtaken_it_is_proposed_again(policy: Policy) -> None:
    drill = quiet(unwatched(policy))
    drill.after(minutes=10)
    alert(drill, "firing")
    alert(drill, "resolved")
    drill.after(minutes=10)
    assert len(drill.events(e.ResolveProposed)) == 2


def test_by_itself_it_waits_for_the_watch_to_end_and_for_every_item(policy: Policy) -> None:
    drill = quiet(policy, after_quiet=AfterQuiet.RESOLVE)
    drill.after(minutes=40)
    assert drill.incident.status is Status.MONITORING
    assert len(drill.events(e.ResolveProposed)) == 1
    tick_all(drill)
    drill.after(seconds=1)
    (resolved,) = drill.events(e.Resolved)
    assert (resolved.reason, resolved.open_items) == ("every alert stopped firing, 40 min ago", ())


def test_ticked_early_it_is_resolved_when_the_watch_ends(policy: Policy) -> None:
    drill = quiet(policy, after_quiet=AfterQuiet.RESOLVE)
    tick_all(drill)
    drill.after(minutes=29, seconds=59)
    assert not drill.incident.status.over
    drill.after(seconds=1)
    assert drill.incident.status is Status.RESOLVED


def test_what_nobody_owned_is_resolved_by_itself_too(policy: Policy) -> None:
    drill = quiet(unwatched(policy), owned=False, after_quiet=AfterQuiet.RESOLVE)
    drill.after(minutes=10)
    assert drill.incident.status is Status.RESOLVED
    assert drill.incident.acknowledged_at is None
    assert drill.after(hours=3) == []


def test_a_failed_watch_leaves_it_to_people(policy: Policy) -> None:
    drill = quiet(policy, after_quiet=AfterQuiet.RESOLVE)
    drill.command(lambda i, ctx: commands.verification_failed(i, ctx, reason="errors remain"), by="tocsin")
    assert owed(drill) == []


def test_what_a_person_reported_is_never_resolved_by_itself(policy: Policy) -> None:
    drill = quiet(unwatched(policy), after_quiet=AfterQuiet.RESOLVE)
    drill.command(lambda i, ctx: (e.Reported("still broken here", "Zoe"),), by="report")
    drill.after(minutes=10)
    assert len(drill.events(e.ResolveProposed)) == 1
    assert not drill.incident.status.over


def test_who_asked_already_is_asked_nothing(policy: Policy) -> None:
    drill = quiet(policy)
    drill.command(lambda i, ctx: commands.resolve(i, ctx))
    assert owed(drill) == []


def test_it_can_be_switched_off_and_another_length_set(policy: Policy) -> None:
    assert owed(quiet(policy, after_quiet=AfterQuiet.NOTHING)) == []
    assert owed(quiet(unwatched(policy), quiet=3 * MINUTE)) == [3 * MINUTE]


def test_what_people_declared_without_an_alert_is_never_quiet(policy: Policy) -> None:
    assert owed(Drill(policy).open()) == []


@pytest.mark.parametrize(("route", "status"), [("resolve", Status.RESOLVED), ("nothing", Status.ACKNOWLEDGED)])
def test_a_route_says_otherwise_for_its_incidents(policy: Policy, route: str, status: Status) -> None:
    drill = quiet(unwatched(policy))
    incident = msgspec.structs.replace(drill.incident, after_quiet=route, quiet=2 * MINUTE)
    due = [d.due_at - drill.now for d in deadlines(incident, drill.policy) if d.kind is Kind.QUIET]
    assert due == ([2 * MINUTE] if status is Status.RESOLVED else [])
