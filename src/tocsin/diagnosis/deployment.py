"""Is it caused by a recent deployment? Yes only when the pods that suffer run what is new, and those of before did not.

Near in time alone is a suspect, shown, and unknown: an innocent deployment half a minute before looks the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from tocsin.diagnosis import causes, curves, scope, symptoms
from tocsin.diagnosis.changes import Change, latest, moved_tags, mutable
from tocsin.diagnosis.comparing import Compared, compared, side_by_side
from tocsin.diagnosis.facts import ContainerState, Facts, Pod, troubles
from tocsin.diagnosis.verdict import LIMITS, Limits, Verdict, no, unknown, yes

_NEEDED = ("workloads", "revisions", "pods")
_MISSING_IMAGE = ("not found", "manifest unknown", "invalid reference", "couldn't parse image", "not present with pull")
SLACK = timedelta(seconds=30)
UNSURE = timedelta(minutes=2)
"""How far the clocks of a cluster and of Prometheus may be apart without anybody knowing."""


def recent_deployment(facts: Facts, limits: Limits = LIMITS) -> Verdict:
    """The verdict on the newest change of the incident's workload, in the light of everything else."""
    if missing := troubles(facts, *_NEEDED):
        return unknown("what was deployed is not known", settle=missing)
    if facts.workloads.absent:
        return unknown("no cluster is asked", settle=(facts.workloads.absent,))
    if not facts.workloads.items:
        return unknown("no Deployment is known here", settle=("the namespace and workload of the service",))
    if symptoms.harmless(facts, limits):
        return no("nothing fails, is slow or crashes: there is nothing a deployment could have caused")
    recent = [c for c in latest(facts) if c.real and _recent(c, facts, limits)]
    own = [c for c in recent if not facts.subject.workload or c.workload.name == facts.subject.workload]
    if not own:
        return _unchanged(facts, limits, recent)
    if len(own) > 1:
        return unknown(
            f"{len(own)} workloads were changed, and which one the incident is about is not known",
            (c.said for c in own),
            settle=("name the incident's service",),
            suspect=own[0].workload.named,
        )
    return _changed(facts, limits, own[0])


def _recent(change: Change, facts: Facts, limits: Limits) -> bool:
    began = symptoms.onset(facts, limits) or facts.reported_at
    return change.at >= min(began, facts.reported_at) - limits.recent - facts.revisions.clock


def _changed(facts: Facts, limits: Limits, change: Change) -> Verdict:
    """The verdict on a workload that was changed."""
    seen = compared(facts, change, limits)
    return (
        _innocent(facts, limits, change, seen)
        or _wrong_image(facts, change)
        or _too_little_memory(facts, limits, change)
        or _side_by_side(facts, change, seen)
        or _crashes(facts, limits, change, seen)
        or _one_after_the_other(facts, limits, change, seen)
        or unknown(
            f"{change.workload.named} was changed near the beginning, which shows nothing by itself",
            (change.said, *seen.said),
            settle=_what_would_settle(facts, limits, change),
            suspect=change.workload.named,
        )
    )


def _innocent(facts: Facts, limits: Limits, change: Change, seen: Compared) -> Verdict | None:
    """What speaks a change free: it began before, or those of before fail just as well."""
    if seen.old_failed_before:
        return no("the pods of before failed already, before the new ones came", (change.said, *seen.said))
    if seen.both_fail:
        return no("the pods of before fail just as well as the new ones", (change.said, *seen.said))
    began = symptoms.onset(facts, limits)
    margin = facts.revisions.clock + facts.series.clock + SLACK
    if began is not None and not seen.known and change.at > began + margin + UNSURE:
        return no(f"it began at {scope.clock(began)}, before the change", (change.said,))
    bad, good = _by_revision(facts, change)
    if bad and good and not any(p.revision == change.now.name for p in bad) and seen.new_fine:
        return no("the pods that fail do not run what is new", (change.said, *(p.name for p in bad[:5])))
    return None


def _by_revision(facts: Facts, change: Change) -> tuple[list[Pod], list[Pod]]:
    """The workload's pods that crash, and those that are ready and do not."""
    since = facts.reported_at - symptoms.HEADROOM
    mine = scope.pods_of((p for p in facts.pods.items if not p.leaving), change.workload.name)
    bad = [p for p in mine if symptoms.broken(p, since=since)]
    return bad, [p for p in mine if p not in bad and p.ready]


def _wrong_image(facts: Facts, change: Change) -> Verdict | None:
    """New pods whose image does not exist: nothing but the deployment can be the reason."""
    if not any(said.startswith("image ") for said in change.differences):
        return None
    stuck = [
        f"{p.name}: {c.reason}: {c.message}"[:200]
        for p in facts.pods.items
        if p.revision == change.now.name
        for c in p.containers
        if c.state == "waiting"
        and c.reason in symptoms.STUCK
        and any(words in c.message.casefold() for words in _MISSING_IMAGE)
    ]
    if not stuck:
        return None
    return yes("the image of the new revision cannot be had", (change.said, *stuck), about=change.workload.named)


def _too_little_memory(facts: Facts, limits: Limits, change: Change) -> Verdict | None:
    """Killed for its memory after the deployment lowered the limit, with no more to do than before."""
    since = change.at - facts.pods.clock
    killed = [p for p in facts.pods.items if p.revision == change.now.name and _killed(p, since)]
    before = [p for p in facts.pods.items if change.before and p.revision == change.before.name]
    if not change.less_memory or not killed or any(_killed(p, facts.reported_at - limits.recent) for p in before):
        return None
    if symptoms.surge(facts, limits) or facts.series.trouble:
        return None
    said = (f"{p.name}: OOMKilled, {p.restarts} restarts" for p in killed)
    return yes(
        "the new revision asks for less memory, and is killed for it", (change.said, *said), about=change.workload.named
    )


def _killed(pod: Pod, since: datetime) -> bool:
    return any(symptoms.out_of_memory(c, since=since) for c in pod.containers)


def _side_by_side(facts: Facts, change: Change, seen: Compared) -> Verdict | None:
    """Both revisions answered at the same time, and only the new one failed."""
    if not seen.only_new_fail:
        return None
    if alone := _one_bad_node(facts, change):
        return unknown(
            "only the new pods fail, but they all are on a node that is unwell",
            (change.said, *seen.said),
            counter=(alone,),
            suspect=change.workload.named,
        )
    return yes(
        "only the pods of the new revision fail, at the same time as those of before do not",
        (change.said, *seen.said),
        about=change.workload.named,
    )


def _one_bad_node(facts: Facts, change: Change) -> str:
    used = {p.node for p in facts.pods.items if p.revision == change.now.name}
    if facts.nodes.trouble:
        return ""
    unwell = [said for n in facts.nodes.items if n.name in used and (said := causes.ailing(n))]
    return unwell[0] if len(used) == 1 and unwell else ""


def _crashes(facts: Facts, limits: Limits, change: Change, seen: Compared) -> Verdict | None:
    """New pods crash while those of before are ready, and nothing else is seen that would make a start fail."""
    bad, good = _by_revision(facts, change)
    if not bad or not all(p.revision == change.now.name for p in bad):
        return None
    others = causes.others(facts, limits, besides=change.workload.name)
    said = (change.said, *(f"{p.name}: {symptoms.broken(p, since=facts.reported_at - symptoms.HEADROOM)}" for p in bad))
    old_ready = [p for p in good if p.revision != change.now.name]
    if others.found or others.unseen or (not old_ready and not seen.old_fine):
        return None
    counter = (f"{len(old_ready)} pods of the revision before are ready",)
    return yes("the pods of the new revision crash, and nothing else is wrong", (*said, *counter), about=_of(change))


def _one_after_the_other(facts: Facts, limits: Limits, change: Change, seen: Compared) -> Verdict | None:
    """Everything runs the new revision: it failed from its beginning, the one before did not, nothing else is wrong."""
    others = causes.others(facts, limits, besides=change.workload.name)
    if not (seen.old_fine and seen.new_fail_from_start):
        return None
    if others.found or others.unseen or _other_changes(facts, limits, change):
        return None
    return yes(
        "it failed from the first request of the new revision on, and nothing else is wrong",
        (change.said, *seen.said),
        about=_of(change),
    )


def _other_changes(facts: Facts, limits: Limits, change: Change) -> list[Change]:
    found = (c for c in latest(facts) if c.workload != change.workload and c.real)
    return [c for c in found if _recent(c, facts, limits)]


def _of(change: Change) -> str:
    return change.workload.named


def _what_would_settle(facts: Facts, limits: Limits, change: Change) -> Iterable[str]:
    others = causes.others(facts, limits, besides=change.workload.name)
    yield from (f"another explanation to rule out: {said}" for said in others.found[:5])
    yield from others.unseen
    yield from (f"another change to rule out: {c.said}" for c in _other_changes(facts, limits, change))
    yield "failures by pod, to compare the new revision with the one before"


def _unchanged(facts: Facts, limits: Limits, elsewhere: list[Change]) -> Verdict:
    """The verdict when the incident's own workload was not changed."""
    window = f"the {limits.recent.total_seconds() / 60:.0f} minutes before"
    if moved := _moved(facts, limits):
        return moved
    if not elsewhere:
        counter = causes.migrations(facts, limits)
        return no(f"no pod template changed in {window}", _restarts(facts, limits), counter=counter)
    healthy = [c for c in elsewhere if _healthy(facts, c)]
    others = causes.others(facts, limits)
    if len(healthy) == len(elsewhere) and others.found and not others.unseen and facts.subject.workload:
        return no(
            f"{facts.subject.named} was not changed; what was is well, and something else is wrong",
            (*(c.said for c in elsewhere), *others.found),
        )
    suspects = ", ".join(c.workload.named for c in elsewhere)
    return unknown(
        f"{facts.subject.named} was not changed, but {suspects} was",
        (c.said for c in elsewhere),
        counter=(f"{c.workload.named} is healthy" for c in healthy),
        settle=(*others.unseen, "what the service needs of what was changed"),
        suspect=suspects,
    )


def _healthy(facts: Facts, change: Change) -> bool:
    mine = scope.pods_of(facts.pods.items, change.workload.name)
    since = change.at - timedelta(minutes=1)
    calm = all(p.ready or p.leaving for p in mine) and not any(symptoms.broken(p, since=since) for p in mine)
    failing = curves.lately(curves.share(s for s in facts.series.items if s.pod in {p.name for p in mine}))
    return calm and change.workload.ready >= change.workload.desired and failing is not None and failing < 0.01


def _restarts(facts: Facts, limits: Limits) -> tuple[str, ...]:
    return tuple(c.said for c in latest(facts) if not c.real and _recent(c, facts, limits))


def _moved(facts: Facts, limits: Limits) -> Verdict | None:
    """A tag that was put on another image: the template is the same, what runs is not."""
    mine = scope.pods(facts)
    there = {p.name for p in facts.pods.items}
    gone = tuple(p for p in scope.pods_of(facts.earlier, facts.subject.workload) if p.name not in there)
    for image, digests in moved_tags((*mine, *gone)).items():
        said = [f"{image} is {digest[-12:]} in {', '.join(sorted(pods))}" for digest, pods in digests.items()]
        beside = len(moved_tags(mine).get(image, ())) > 1
        decided = _by_digest if beside else _one_digest_after_the_other
        what = (
            "is not the same image in every pod"
            if beside
            else "was put on another image, which shows nothing by itself"
        )
        return decided(facts, limits, list(digests.values()), said) or unknown(
            f"{image} {what}",
            said,
            settle=("failures by pod, to compare them",),
            suspect=facts.subject.named,
        )
    earliest = facts.reported_at - limits.recent
    fresh = [p for p in mine if p.created_at is None or p.created_at >= earliest]
    tags = sorted({c.image for p in fresh for c in p.containers if mutable(c.image) and not _same(gone, c)})
    if not tags:
        return None
    return unknown(
        f"{tags[0]} may be another image than before: its pods are new, and its tag can be moved",
        [f"{p.name} was made at {scope.clock(p.created_at)}" for p in fresh if p.created_at],
        settle=("the digest that ran before",),
        suspect=facts.subject.named,
    )


def _same(gone: tuple[Pod, ...], now: ContainerState) -> bool:
    """Whether the tag is known to have meant the same image before: pods that are gone ran it."""
    before = {c.image_id for p in gone for c in p.containers if c.image == now.image and c.image_id}
    return bool(now.image_id) and before == {now.image_id}


def _one_digest_after_the_other(
    facts: Facts, limits: Limits, groups: list[tuple[str, ...]], said: list[str]
) -> Verdict | None:
    """Yes when the pods of the image before never failed, those of the new one did from the first, and nothing else is
    wrong: as with a deployment that has replaced everything."""
    there = {p.name for p in facts.pods.items}
    new = next((names for names in groups if there & set(names)), ())
    old = [name for names in groups for name in names if name not in there]
    if len(groups) != 2 or not new or facts.series.trouble:
        return None
    seen = side_by_side(
        curves.share(s for s in facts.series.items if s.pod in new),
        curves.share(s for s in facts.series.items if s.pod in old),
        limits,
    )
    others = causes.others(facts, limits, besides=facts.subject.workload)
    if others.found or others.unseen or not (seen.old_fine and seen.new_fail_from_start):
        return None
    lately_changed = [c for c in latest(facts) if c.real and _recent(c, facts, limits)]
    if lately_changed:
        return None
    return yes(
        "the tag was put on another image, which fails from its first request on, and nothing else is wrong",
        (*said, *seen.said),
        about=facts.subject.named,
    )


def _by_digest(facts: Facts, limits: Limits, groups: list[tuple[str, ...]], said: list[str]) -> Verdict | None:
    """Yes when all pods of one image fail and none of the other's does, in the same minutes."""
    if len(groups) != 2:
        return None
    listed = [curves.share(s for s in scope.series(facts) if s.pod in names) for names in groups]
    now = [curves.lately(curve) for curve in listed]
    made = [
        min((p.created_at for p in facts.pods.items if p.name in names and p.created_at), default=None)
        for names in groups
    ]
    if facts.series.trouble or None in now or None in made:
        return None
    (first, second), (older, newer) = now, made
    if first is None or second is None or older is None or newer is None:
        return None
    if older > newer:
        first, second = second, first
    if second >= limits.error_share and first < limits.error_share / 5:
        return yes("the tag was put on another image, and only its pods fail", said, about=facts.subject.named)
    if first >= limits.error_share and second >= limits.error_share:
        return no("the pods of both images fail", said)
    return None
