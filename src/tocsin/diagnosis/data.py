"""Is it a data issue? Locks not granted, a full disk, a broken or half-done migration, a replica far behind."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.diagnosis import symptoms
from tocsin.diagnosis.changes import latest
from tocsin.diagnosis.facts import Database, Facts, Failures, Logs, troubles
from tocsin.diagnosis.verdict import LIMITS, Limits, Verdict, no, unknown, yes

OF_DATA = ("22", "23", "40", "42", "58", "XX")
"""SQLSTATE classes that speak of data: bad values, broken constraints, deadlocks, a schema that does not fit, damage.
Source: the PostgreSQL manual, appendix A."""
CODES_OF_DATA = {
    "53100": "the disk is full",
    "25006": "the database may only be read",
    "55P03": "a lock is not to be had",
}
_SCHEMA = ("42", "23")
FEW = 5
"""Failures below this number happen on a good day."""
_MOST = 0.5


def data_issue(facts: Facts, limits: Limits = LIMITS) -> Verdict:
    """Yes when the database shows it, or most of the errors are of its kind."""
    strong: list[str] = []
    weak: list[str] = []
    for said, shown in _signs(facts, limits):
        (strong if shown else weak).append(said)
    unseen = troubles(facts, "databases", "logs")
    if strong:
        return yes(
            strong[0], strong, counter=weak, about=facts.databases.items[0].name if facts.databases.items else ""
        )
    if unseen:
        return unknown("the database, or what the service says of it, is not known", weak, settle=unseen)
    if weak:
        return unknown(weak[0], weak, settle=("what the failing statements have in common",))
    if facts.databases.absent or not facts.databases.items:
        return unknown("no database is asked", settle=(facts.databases.absent or "the address of the database",))
    if facts.logs.absent:
        return unknown("the logs are not read", settle=(facts.logs.absent,))
    calm = [f"{d.name}: {len(d.waiting)} sessions wait, none long" for d in facts.databases.items]
    if any(d.waiting for d in facts.databases.items):
        return unknown("sessions wait for a lock, none of them long yet", calm, settle=("look again in a minute",))
    return no("no lock is waited for, no disk is full, and no log speaks of data", calm)


def _signs(facts: Facts, limits: Limits) -> Iterator[tuple[str, bool]]:
    """(what speaks for it, whether that is enough)."""
    if not facts.databases.trouble:
        for one in facts.databases.items:
            yield from _of_database(facts, one, limits)
    if not facts.logs.trouble:
        yield from _of_logs(facts, limits)
    for job in facts.jobs.items:
        about = f"{job.name} {job.image}".casefold()
        names = any(word in about for word in ("migrat", "flyway", "liquibase", "alembic", "schema"))
        if (
            names
            and job.failed
            and not job.succeeded
            and job.started_at
            and job.started_at >= facts.reported_at - limits.recent
        ):
            yield f"the migration {job.name} failed", False


def _of_database(facts: Facts, one: Database, limits: Limits) -> Iterator[tuple[str, bool]]:
    if said := symptoms.blocked_for(one, limits):
        many = sum(s.waiting >= limits.waiting for s in one.waiting) >= 3
        yield said, many and symptoms.felt(facts, limits)
    if one.disk is not None and one.disk >= limits.disk:
        full = one.disk >= 0.98 or any(f.state == "53100" for f in _failures(facts))
        yield f"{one.name}: its disk is {one.disk:.0%} full", full
    if one.lag is not None and one.lag >= limits.lag:
        yield f"{one.name}: its replica is {one.lag.total_seconds():.0f} s behind", False


def _of_logs(facts: Facts, limits: Limits) -> Iterator[tuple[str, bool]]:
    states = sorted({f.state for f in _failures(facts) if f.state[:2] in OF_DATA or f.state in CODES_OF_DATA})
    for state in states:
        listed = [f for f in _failures(facts) if f.state == state]
        count, errors = sum(f.count for f in listed), sum(logs.errors for logs in facts.logs.items)
        if count < FEW:
            continue
        what = CODES_OF_DATA.get(state, f"SQLSTATE {state}")
        said = f"{count} of {errors} errors in the logs: {what}" + (
            f" ({listed[0].sample})" if listed[0].sample else ""
        )
        yield (
            said,
            count >= _MOST * errors and _everywhere(facts.logs.items, state) and _not_the_code(facts, state, limits),
        )


def _everywhere(listed: tuple[Logs, ...], state: str) -> bool:
    """Whether at least half of the pods that log errors log this one."""
    having = [logs for logs in listed if logs.errors]
    return 2 * sum(any(f.state == state for f in logs.failures) for logs in having) >= len(having) > 0


def _not_the_code(facts: Facts, state: str, limits: Limits) -> bool:
    """Whether the schema, and not a new version that expects another one, is the likelier reason."""
    if state[:2] not in _SCHEMA:
        return True
    if troubles(facts, "workloads", "revisions", "jobs"):
        return False
    earliest = facts.reported_at - limits.recent
    changed = [c for c in latest(facts) if c.real and c.at >= earliest]
    mine = [c for c in changed if not facts.subject.workload or c.workload.name == facts.subject.workload]
    return not mine


def _failures(facts: Facts) -> list[Failures]:
    return [f for logs in facts.logs.items for f in logs.failures]
