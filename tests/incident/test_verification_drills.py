"""The end: watching the fix, the checklist, resolving by itself or by a person, and taking it back."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from tocsin.incident import commands
from tocsin.incident import events as e
from tocsin.incident.alert import Alert, AlertStatus
from tocsin.incident.checklists import items
from tocsin.incident.drill import START, Drill
from tocsin.incident.errors import CommandError, TransitionError
from tocsin.incident.policy import Policy
from tocsin.incident.state import Status
from tocsin.incident.work import Execute
from tocsin.runbook.model import Purpose


def alert(drill: Drill, status: str, name: str = "HighErrorRate") -> None:
    drill.alert(Alert(name, AlertStatus(status), {"alertname": name}, {}, drill.now, None, "alertmanager"))


def resolve(drill: Drill, reason: str = "", *, by: str = "Ana") -> None:
    drill.command(lambda i, ctx: commands.resolve(i, ctx, reason=reason), by=by)


def status(drill: Drill) -> Status:
    return drill.incident.status


def tick(drill: Drill, item: str, *, done: bool = True, note: str = "") -> None:
    drill.command(lambda i, ctx: commands.tick(i, ctx, item=item, done=done, note=note))


def tick_all(drill: Drill, *, but: int = 0) -> None:
    wanted = [i for i in items(drill.policy.runbook) if i.group == "verification"]
    for item in wanted[: len(wanted) - but]:
        tick(drill, item.id)


def runs(drill: Drill) -> list[str]:
    return [r.procedure for r in drill.incident.runs]


def watched(drill: Drill) -> Drill:
    """An acknowledged incident whose only alert stopped ten minutes in."""
    drill.open()
    alert(drill, "firing")
    drill.acknowledge()
    drill.after(minutes=10)
    alert(drill, "resolved")
    return drill


def test_the_assessment_begins_with_the_incident(drill: Drill) -> None:
    drill.open()
    assert runs(drill) == ["initial-assessment"]
    assert [s.title for s in drill.incident.runs[0].steps] == ["Check pods", "Check events", "Look at Grafana"]
    assert [w for _, w in drill.work if isinstance(w, Execute)] == [Execute("1")]


def test_the_verification_begins_when_the_last_alert_stops(drill: Drill) -> None:
    drill.open()
    alert(drill, "firing", "A")
    alert(drill, "firing", "B")
    drill.acknowledge()
    alert(drill, "resolved", "A")
    assert drill.incident.verification is None
    alert(drill, "resolved", "B")
    assert status(drill) is Status.MONITORING
    assert runs(drill)[-1] == "resolution-steps"


def test_the_window_is_the_one_the_runbook_asks_for(drill: Drill) -> None:
    seen = watched(drill).incident.verification
    assert seen is not None
    assert seen.earliest_at - seen.started_at == timedelta(minutes=15)
    assert seen.latest_at - seen.started_at == timedelta(minutes=30)


def test_alerts_that_stopped_say_that_the_impact_stopped(drill: Drill) -> None:
    watched(drill)
    assert drill.incident.mitigated_at == START + timedelta(minutes=10)
    drill.after(hours=3)
    assert drill.events(e.Informed) == []


def test_alerts_resolve_nothing_by_themselves(drill: Drill) -> None:
    watched(drill)
    tick_all(drill)
    drill.after(days=1)
    assert status(drill) is Status.MONITORING
    assert drill.incident.verification is not None
    assert drill.incident.verification.status == "passed"


def test_it_resolves_by_itself_when_asked_ticked_and_watched_for_the_whole_window(drill: Drill) -> None:
    drill.open()
    resolve(drill)
    tick_all(drill)
    drill.after(minutes=29, seconds=59)
    assert status(drill) is Status.MONITORING
    drill.after(seconds=1)
    assert status(drill) is Status.RESOLVED
    assert drill.incident.resolved_at == START + timedelta(minutes=30)


def test_the_last_tick_after_the_window_resolves(drill: Drill) -> None:
    drill.open()
    resolve(drill)
    tick_all(drill, but=1)
    drill.after(hours=2)
    assert status(drill) is Status.MONITORING
    tick_all(drill)
    drill.after(seconds=0)
    assert status(drill) is Status.RESOLVED


def test_a_person_may_resolve_from_the_earliest_instant_on(drill: Drill) -> None:
    drill.open()
    resolve(drill)
    tick_all(drill)
    drill.after(minutes=14, seconds=59)
    with pytest.raises(TransitionError, match="monitoring until 03:15 UTC"):
        resolve(drill)
    drill.after(seconds=1)
    resolve(drill)
    assert status(drill) is Status.RESOLVED


def test_an_open_item_refuses_the_resolve_and_is_named(drill: Drill) -> None:
    drill.open()
    resolve(drill)
    tick_all(drill, but=1)
    drill.after(minutes=20)
    with pytest.raises(TransitionError, match="open: Related services healthy"):
        resolve(drill)


def test_an_item_unticked_again_keeps_it_open(drill: Drill) -> None:
    drill.open()
    resolve(drill)
    tick_all(drill)
    tick(drill, "verification-checklist/1", done=False)
    drill.after(hours=1)
    assert status(drill) is Status.MONITORING


def test_a_reason_overrides_and_what_was_open_is_named(drill: Drill) -> None:
    drill.open()
    tick_all(drill, but=1)
    resolve(drill, "the customer confirmed it")
    said = drill.events(e.Resolved)[0]
    assert said == e.Resolved(
        "the customer confirmed it", ("open: Related services healthy", "the verification has not run")
    )


def test_resolving_what_nobody_owned_makes_it_ones_own(drill: Drill) -> None:
    drill.open()
    resolve(drill, by="Ben")
    assert (drill.incident.acknowledged_by, drill.incident.status) == ("Ben", Status.MONITORING)


def test_a_resolved_incident_is_not_resolved_again(drill: Drill) -> None:
    drill.open()
    resolve(drill, "gone")
    with pytest.raises(TransitionError, match="resolved already"):
        resolve(drill, "gone")


def test_a_failed_verification_takes_it_back(drill: Drill) -> None:
    drill.open()
    resolve(drill)
    drill.command(lambda i, ctx: commands.verification_failed(i, ctx, reason="Check health: HTTP 503"), by="tocsin")
    assert status(drill) is Status.MITIGATING
    assert (drill.incident.resolve_requested_by, drill.incident.mitigated_at) == (None, None)
    assert drill.incident.public[-1].status == "identified"
    tick_all(drill)
    drill.after(hours=1)
    assert status(drill) is Status.MITIGATING


def test_after_a_failed_verification_resolving_watches_anew(drill: Drill) -> None:
    drill.open()
    resolve(drill)
    drill.command(lambda i, ctx: commands.verification_failed(i, ctx, reason="unhealthy"), by="tocsin")
    resolve(drill)
    assert runs(drill).count("resolution-steps") == 2
    assert status(drill) is Status.MONITORING


def test_an_alert_that_fires_again_while_watching_takes_it_back(drill: Drill) -> None:
    watched(drill)
    drill.after(minutes=5)
    alert(drill, "firing")
    assert status(drill) is Status.MITIGATING
    assert drill.events(e.VerificationFailed) == [e.VerificationFailed("alert HighErrorRate fires again")]
    drill.after(minutes=15)
    assert [i.role for i in drill.events(e.Informed)] == ["On-call", "DevOps Lead"]


def test_a_failure_told_when_nothing_is_watched_changes_nothing(drill: Drill) -> None:
    drill.open()
    before = drill.incident
    drill.command(lambda i, ctx: commands.verification_failed(i, ctx, reason="late"), by="tocsin")
    assert drill.incident == before


def test_a_runbook_without_a_verification_procedure_watches_nothing(drill: Drill) -> None:
    others = tuple(p for p in drill.policy.runbook.procedures if p.purpose is not Purpose.VERIFICATION)
    drill.retime(runbook=msgspec.structs.replace(drill.policy.runbook, procedures=others))
    drill.open()
    tick_all(drill)
    resolve(drill)
    drill.after(seconds=0)
    assert status(drill) is Status.RESOLVED


# nobody owns it yet


def test_alerts_that_stop_before_the_acknowledge_still_wake_people(drill: Drill) -> None:
    drill.open()
    alert(drill, "firing")
    alert(drill, "resolved")
    assert status(drill) is Status.OPEN
    assert drill.after(minutes=30) == ["On-call", "DevOps Lead"]


def test_nobody_tells_the_public_of_a_fix_that_nobody_made(drill: Drill) -> None:
    drill.open()
    alert(drill, "firing")
    alert(drill, "resolved")
    assert [s.status for s in drill.incident.public] == ["investigating"]
    assert drill.incident.mitigated_at is None


def test_an_acknowledge_while_watching_goes_on_watching(drill: Drill) -> None:
    drill.open()
    alert(drill, "firing")
    alert(drill, "resolved")
    drill.after(minutes=10)
    drill.acknowledge()
    seen = drill.incident.verification
    assert status(drill) is Status.MONITORING
    assert seen is not None
    assert (seen.run, seen.latest_at) == ("2", START + timedelta(minutes=30))
    assert runs(drill).count("resolution-steps") == 1
    drill.after(hours=1)
    assert drill.incident.verification is not None
    assert drill.incident.verification.status == "passed"


def test_an_acknowledge_long_after_the_window_can_be_resolved_at_once(drill: Drill) -> None:
    drill.open()
    alert(drill, "firing")
    alert(drill, "resolved")
    drill.after(hours=1)
    tick_all(drill)
    resolve(drill)
    assert status(drill) is Status.RESOLVED


def test_an_alert_that_fires_again_before_the_acknowledge_fails_the_verification_and_stays_open(drill: Drill) -> None:
    drill.open()
    alert(drill, "firing")
    alert(drill, "resolved")
    alert(drill, "firing")
    assert status(drill) is Status.OPEN
    drill.acknowledge()
    assert status(drill) is Status.ACKNOWLEDGED
    drill.after(hours=1)


def test_an_alert_after_the_end_is_only_recorded(drill: Drill) -> None:
    drill.open()
    resolve(drill, "gone")
    alert(drill, "firing")
    assert (drill.incident.status, drill.incident.alerts_firing) == (Status.RESOLVED, 1)


# the checklist


def test_an_item_is_ticked_by_its_text_too(drill: Drill) -> None:
    drill.open()
    tick(drill, "health checks passing", note="all green")
    assert drill.incident.ticked("verification-checklist/3")


def test_an_item_that_is_not_there_is_refused(drill: Drill) -> None:
    drill.open()
    with pytest.raises(CommandError, match="coffee"):
        tick(drill, "coffee")


def test_checklists_of_one_title_have_items_of_their_own(policy: Policy) -> None:
    twice = (*policy.runbook.checklists, *policy.runbook.checklists)
    ids = [i.id for i in items(msgspec.structs.replace(policy.runbook, checklists=twice))]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("observed", "why"), [(None, "has not answered"), ("unhealthy", "seen"), ("timed_out", "seen"), ("failed", "seen")]
)
def test_a_verification_whose_steps_do_not_speak_for_the_fix_fails(
    policy: Policy, observed: str | None, why: str
) -> None:
    drill = watched(Drill(policy, observed=observed))
    drill.after(minutes=29, seconds=59)
    assert status(drill) is Status.MONITORING
    drill.after(seconds=1)
    assert status(drill) is Status.MITIGATING
    assert why in drill.events(e.VerificationFailed)[0].reason


@pytest.mark.parametrize("observed", ["ok", "nothing_found", "unknown", "manual"])
def test_a_verification_that_found_nothing_wrong_passes(policy: Policy, observed: str) -> None:
    drill = watched(Drill(policy, observed=observed))
    drill.after(minutes=30)
    assert len(drill.events(e.VerificationPassed)) == 1


def test_a_person_needs_a_reason_while_a_step_has_not_answered(policy: Policy) -> None:
    drill = watched(Drill(policy, observed=None))
    tick_all(drill)
    drill.after(minutes=16)
    resolve(drill)
    with pytest.raises(TransitionError, match="has not answered"):
        resolve(drill)
    resolve(drill, "seen by hand")
    assert status(drill) is Status.RESOLVED
