"""The tables. Instants are whole microseconds since the epoch, UTC; events and states are JSON text."""

from __future__ import annotations

from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
    text,
)
from sqlalchemy.event import listen

metadata = MetaData()
_REWRITTEN = {"fillfactor": 80, "autovacuum_vacuum_scale_factor": 0.01}
"""For rows that change often, on PostgreSQL: room to change in place, and dead ones cleared away soon."""
_Key = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only for INTEGER PRIMARY KEY

PENDING: ColumnElement[str] = literal_column("'pending'")
LEASED: ColumnElement[str] = literal_column("'leased'")
"""The states of open work, as words of a statement: an index over some of the rows serves no value bound later."""

incident = Table(
    "incident",
    metadata,
    Column("id", Text, primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("status", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("next_due_at", BigInteger),
    Column("runbook", Text, nullable=False),
    Column("rev", Integer, nullable=False, server_default="1"),
    Column("state", Text, nullable=False),
    postgresql_with=_REWRITTEN,
)
LIGHT = """
DO $$ BEGIN
    EXECUTE 'ALTER TABLE incident ALTER COLUMN state SET COMPRESSION lz4';
EXCEPTION
    WHEN feature_not_supported OR invalid_parameter_value OR syntax_error THEN NULL; -- built without it, or before 14
END $$
"""
"""PostgreSQL packs a state by LZ4 where it can: packing is the dearest part of a change."""
listen(incident, "after_create", DDL(LIGHT).execute_if(dialect="postgresql"))  # type: ignore[no-untyped-call]
Index(
    "incident_due",
    incident.c.next_due_at,
    sqlite_where=incident.c.next_due_at.is_not(None),
    postgresql_where=incident.c.next_due_at.is_not(None),
)
Index("incident_service", incident.c.service, incident.c.status)
ALIVE = "status NOT IN ('resolved', 'closed')"
"""Written out in a query, word for word, it has the database use `incident_alive`: parameters tell it nothing."""
Index(
    "incident_alive",
    incident.c.number,
    incident.c.severity,
    incident.c.status,
    sqlite_where=text(ALIVE),
    postgresql_where=text(ALIVE),
)
OPEN_DRILL = f"{ALIVE} AND substr(title, 1, 7) = 'DRILL: '"
"""Written out in a query likewise, for `incident_drill`; see `tocsin.incident.alert.DRILL`."""
Index(
    "incident_drill",
    incident.c.severity,
    incident.c.status,
    sqlite_where=text(OPEN_DRILL),
    postgresql_where=text(OPEN_DRILL),
)

event = Table(
    "event",
    metadata,
    Column("position", _Key, primary_key=True, autoincrement=True),
    Column("incident_id", Text, ForeignKey("incident.id"), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("data", Text, nullable=False),
    UniqueConstraint("incident_id", "seq"),
)

alert = Table(
    "alert",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    Column("incident_id", Text, ForeignKey("incident.id")),
    Column("status", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger),
    Column("first_seen_at", BigInteger, nullable=False),
    Column("last_seen_at", BigInteger, nullable=False),
    Column("data", Text, nullable=False),
    Column("held", Text, nullable=False, server_default=""),
)
HELD = "held <> ''"
"""Written out in a query, word for word, like `ALIVE`: the alerts that something holds back."""
Index("alert_held", alert.c.held, sqlite_where=text(HELD), postgresql_where=text(HELD))
FIRING = "status = 'firing'"
Index("alert_firing", alert.c.name, sqlite_where=text(FIRING), postgresql_where=text(FIRING))
Index("alert_incident", alert.c.incident_id, alert.c.first_seen_at)

work = Table(
    "work",
    metadata,
    Column("id", _Key, primary_key=True, autoincrement=True),
    Column("incident_id", Text, ForeignKey("incident.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("channel", Text, nullable=False, server_default=""),
    Column("bundle", Text, nullable=False, server_default=""),
    Column("urgency", Integer, nullable=False, server_default="1"),
    Column("idempotency_key", Text, nullable=False, unique=True),
    Column("payload", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("next_at", BigInteger, nullable=False),
    Column("lease_until", BigInteger),
    Column("owner", Text),
    Column("uncertain", Integer, nullable=False, server_default="0"),
    Column("error", Text, nullable=False, server_default=""),
    Column("created_at", BigInteger, nullable=False),
    postgresql_with=_REWRITTEN,
)
Index(
    "work_pending", work.c.next_at, sqlite_where=work.c.state == "pending", postgresql_where=work.c.state == "pending"
)
Index(
    "work_waiting",
    work.c.kind,
    work.c.urgency,
    work.c.next_at,
    sqlite_where=work.c.state == "pending",
    postgresql_where=work.c.state == "pending",
)
Index(
    "work_leased", work.c.lease_until, sqlite_where=work.c.state == "leased", postgresql_where=work.c.state == "leased"
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", Text, primary_key=True),
    Column("incident_id", Text, ForeignKey("incident.id"), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("data", Text, nullable=False),
)
Index("evidence_incident", evidence.c.incident_id, evidence.c.at)

runbook = Table(
    "runbook",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("file", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

token = Table(
    "token",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("key", Text, primary_key=True),
    Column("request", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

setting = Table(
    "setting",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

replica = Table(
    "replica",
    metadata,
    Column("number", _Key, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("version", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("beat_at", BigInteger, nullable=False),
)

silence = Table(
    "silence",
    metadata,
    Column("id", Text, primary_key=True),
    Column("ends_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("data", Text, nullable=False),
)
Index("silence_ends", silence.c.ends_at)
