"""What is looked at before a mitigation, and after it: would it help, would it hold, did it? Decides nothing.

Source: rollbacks restore the template of the revision before, so the same mutable tag is the same image; an autoscaler
writes the replica count again; Argo CD and Flux put back what Git says.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from tocsin.diagnosis.changes import Change, mutable, newest
from tocsin.diagnosis.facts import Application, Autoscaler, Facts, Workload, troubles
from tocsin.diagnosis.fingerprints import fingerprint
from tocsin.incident.preflight import Check

PASSED, FAILED, UNKNOWN = "passed", "failed", "unknown"


class Verb(StrEnum):
    """What a command does to a workload."""

    UNDO = "undo"
    RESTART = "restart"
    SCALE = "scale"


class Act(Struct, frozen=True):
    """A mitigation as far as it is understood; `replicas` is what a scale asks for."""

    verb: Verb
    kind: str
    name: str
    replicas: int | None = None


def before(act: Act, facts: Facts) -> tuple[Check, ...]:
    """What is known of the mitigation before it is approved."""
    if missing := troubles(facts, "workloads", "revisions", "pods", "autoscalers"):
        return (Check("look", UNKNOWN, "; ".join(missing)[:300]),)
    target = _target(act, facts)
    if target is None:
        return (Check("exists", FAILED, f"there is no {act.kind}/{act.name} in {facts.subject.namespace}"),)
    looks = {Verb.UNDO: _undo, Verb.RESTART: _restart, Verb.SCALE: _scale}
    return tuple(looks[act.verb](act, target, facts))


def _undo(act: Act, target: Workload, facts: Facts) -> Iterator[Check]:
    change = newest(facts, target)
    if change is None or change.before is None:
        yield Check("previous revision", FAILED, "there is no revision to go back to")
        return
    number = change.before.number
    yield Check("previous revision", PASSED, f"revision {number} is there")
    yield _differs(change)
    yield _pinned(change)
    yield Check("not paused", FAILED if target.paused else PASSED, "it is paused" if target.paused else "it is not")
    yield _kept(act, target, facts)
    yield _was_healthy(change, facts)


def _differs(change: Change) -> Check:
    if not change.real:
        said = "the revision before has the same template: nothing would change but a restart"
        return Check("differs", FAILED, said)
    images = [d for d in change.differences if d.startswith("image ")]
    return Check("differs", PASSED, (images or list(change.differences))[0])


def _pinned(change: Change) -> Check:
    back = [c.image for c in change.before.template.containers] if change.before else []
    loose = [image for image in back if mutable(image)]
    if loose:
        return Check("pinned image", FAILED, f"{loose[0]} may be any image by now: its tag can be moved")
    return Check("pinned image", PASSED, ", ".join(back) or "no image")


def _kept(act: Act, target: Workload, facts: Facts) -> Check:
    """Whether something puts back what is changed by hand."""
    what = "scale" if act.verb is Verb.SCALE else "rollback"
    if facts.applications.trouble:
        return Check("not put back", UNKNOWN, facts.applications.trouble)
    for app in facts.applications.items:
        if keeps(app, target):
            heals = app.automated and app.self_heal
            said = f"Argo CD application {app.name} " + (
                f"heals itself: it will undo the {what}; pause it or revert in Git" if heals else "does not heal itself"
            )
            return Check("not put back", FAILED if heals else PASSED, said)
    if target.keeper:
        return Check("not put back", FAILED, f"{target.keeper} will put it back; change it in Git")
    return Check("not put back", PASSED, "nothing is known to put it back")


def keeps(app: Application, target: Workload) -> bool:
    if app.workloads:
        return target.named in app.workloads and app.target in ("", target.namespace)
    return target.keeper == f"Argo CD application {app.name}"


def _was_healthy(change: Change, facts: Facts) -> Check:
    """Whether what it goes back to is known to have worked."""
    from_before = [p for p in facts.pods.items if change.before and p.revision == change.before.name]
    if from_before and all(p.ready for p in from_before):
        return Check("was healthy", PASSED, f"{len(from_before)} of its pods are ready now")
    if from_before:
        return Check("was healthy", FAILED, "its own pods are not ready")
    return Check("was healthy", UNKNOWN, "none of its pods is there any more")


def _restart(act: Act, target: Workload, facts: Facts) -> Iterator[Check]:
    many = target.desired > 1
    said = f"{target.desired} replicas: one answers while another restarts" if many else "one replica: it will be down"
    yield Check("more than one replica", PASSED if many else FAILED, said)
    loose = [c.image for c in target.template.containers if mutable(c.image)]
    if loose:
        yield Check("same image", FAILED, f"{loose[0]}: new pods take what the tag names now")


def _scale(act: Act, target: Workload, facts: Facts) -> Iterator[Check]:
    owner = autoscaler_of(target, facts)
    if owner is not None:
        bounds = f"{owner.name} keeps {owner.least} to {owner.most} replicas: it will overwrite the number"
        yield Check("no autoscaler", FAILED, bounds)
    else:
        yield Check("no autoscaler", PASSED, "no autoscaler owns its replicas")
    yield _kept(act, target, facts)
    yield _headroom(act, target, facts)
    yield _connections(act, target, facts)


def autoscaler_of(target: Workload, facts: Facts) -> Autoscaler | None:
    return next(
        (a for a in facts.autoscalers.items if a.workload == target.name and a.kind == target.kind),
        None,
    )


def _headroom(act: Act, target: Workload, facts: Facts) -> Check:
    """Room for the additional pods by what they request; what all others request is not known."""
    more = (act.replicas or target.desired) - target.desired
    if more <= 0:
        return Check("room on nodes", PASSED, "no pod is added")
    if facts.nodes.trouble:
        return Check("room on nodes", UNKNOWN, facts.nodes.trouble)
    waiting = [p for p in facts.pods.items if p.unscheduled]
    if waiting:
        return Check(
            "room on nodes", FAILED, f"{len(waiting)} pods find no node already: {waiting[0].unscheduled[:120]}"
        )
    asks = sum(c.cpu_request or 0.0 for c in target.template.containers)
    largest = max((n.cpu or 0.0 for n in facts.nodes.items if n.ready and n.schedulable), default=0.0)
    if asks > largest:
        return Check("room on nodes", FAILED, f"a pod asks for {asks:g} CPU, the largest node has {largest:g}")
    return Check("room on nodes", UNKNOWN, f"{more} more pods of {asks:g} CPU each; none waits for a node now")


def _connections(act: Act, target: Workload, facts: Facts) -> Check:
    """Each replica brings its own pool: as many connections as one holds now."""
    if facts.databases.trouble or not facts.databases.items:
        why = facts.databases.trouble or facts.databases.absent or "no database is asked"
        return Check("database connections", UNKNOWN, why)
    one = facts.databases.items[0]
    each = one.connections / max(target.ready, 1)
    wanted = one.connections + each * max((act.replicas or target.desired) - target.desired, 0)
    said = f"{one.connections} of {one.most} connections are used, about {wanted:.0f} with the new replicas"
    return Check("database connections", PASSED if wanted < one.most * 0.9 else FAILED, said)


def template_of(act: Act, facts: Facts) -> str:
    """The fingerprint of the pod template that runs now; empty when it is not known."""
    target = _target(act, facts) if not facts.workloads.trouble else None
    return fingerprint(target.template) if target else ""


def after(act: Act, facts: Facts, *, template: str) -> tuple[Check, ...]:
    """What is seen of a mitigation that ran. `template` is the fingerprint of what ran before it."""
    if missing := troubles(facts, "workloads"):
        return (Check("rollout", UNKNOWN, missing[0]),)
    target = _target(act, facts)
    if target is None:
        return (Check("rollout", FAILED, f"{act.kind}/{act.name} is gone"),)
    return (_rolled_out(target), *_reverted(act, target, facts, template))


def _rolled_out(target: Workload) -> Check:
    """As `kubectl rollout status` judges it."""
    seen = target.observed >= target.generation
    done = seen and target.updated >= target.desired and target.available >= target.desired
    stuck = any(c.type == "Progressing" and c.reason == "ProgressDeadlineExceeded" for c in target.conditions)
    said = f"{target.available} of {target.desired} pods available, {target.updated} up to date"
    return Check("rollout", PASSED if done else FAILED if stuck else UNKNOWN, said)


def _reverted(act: Act, target: Workload, facts: Facts, template: str) -> Iterator[Check]:
    """Whether something else took the change back. A rollback is seen by the template, a scale by the number."""
    if act.verb is Verb.UNDO and template:
        back = fingerprint(target.template) == template
        who = _kept(act, target, facts)
        because = f": {who.said}" if who.state == FAILED else ""
        said = (
            f"the template that was rolled back is there again{because}" if back else "what was rolled back stays away"
        )
        yield Check("not reverted", FAILED if back else PASSED, said)
    if act.verb is Verb.SCALE and act.replicas is not None:
        same = target.desired == act.replicas
        owner = autoscaler_of(target, facts)
        because = f": the autoscaler {owner.name} sets it" if owner and not same else ""
        said = f"{target.desired} replicas are asked for{because}"
        yield Check("not reverted", PASSED if same else FAILED, said)


def _target(act: Act, facts: Facts) -> Workload | None:
    return next((w for w in facts.workloads.items if (w.kind, w.name) == (act.kind, act.name)), None)
