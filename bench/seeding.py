"""Timelines made ahead, through the product's own doors, and a token to read them with."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tocsin.bootstrap import House, compose
from tocsin.config import load
from tocsin.engine.credentials import API, mint
from tocsin.incident import events as e
from tocsin.incident.alert import Alert, AlertStatus, fingerprint
from tocsin.incident.policy import Role
from tocsin.store.database import Store

ALERTS = 200
"""Of an incident's events so many are alerts; the rest are notes."""


def seed(settings: Path, *, events: int) -> str:
    """A database with one incident of so many events; a token that may look at it."""
    found = load(settings, environ={})
    store = Store(found.database.get_secret_value())
    try:
        asyncio.run(_fill(compose(found, store=store), events))
        return mint(store, name="bench", role=Role.RESPONDER, kind=API, now=datetime.now(UTC), lasts=None)
    finally:
        store.close()


async def _fill(house: House, events: int) -> None:
    now = datetime.now(UTC)
    await house.desk.receive([alert(n, service="backend", at=now) for n in range(min(ALERTS, events // 2))])
    incident = await house.desk.incident("1")
    notes = [
        e.Noted(f"Looked at replica {n}: 5xx rate {n % 17} %, p99 {n % 900} ms")
        for n in range(events - incident.version)
    ]
    await house.core.append(incident.id, notes, actor="Ana")


def alert(number: int, *, service: str, at: datetime) -> Alert:
    labels = {"alertname": "HighErrorRate", "service": service, "severity": "critical", "pod": f"pod-{number}"}
    said = {"summary": f"5xx rate above 5 % on pod-{number}"}
    return Alert(fingerprint(labels), AlertStatus.FIRING, labels, said, at - timedelta(minutes=2), None, "bench")
