"""What the settings say of senders, as the signals take it."""

from __future__ import annotations

from tocsin.config import Settings
from tocsin.config.sources import AlertMapping
from tocsin.signals.heartbeat import Heartbeat
from tocsin.signals.mapped import FIELDS, Expressions


def heartbeats(settings: Settings) -> tuple[Heartbeat, ...]:
    """The configured heartbeats."""
    return tuple(
        Heartbeat(h.name, h.every, grace=h.grace, labels=dict(h.labels), match=dict(h.match))
        for h in settings.sources.heartbeats
    )


def expressions_of(settings: Settings, name: str) -> Expressions | None:
    """The mapping of that name; None when there is none."""
    return next((_expressions(m) for m in settings.sources.mappings if m.name == name), None)


def _expressions(mapping: AlertMapping) -> Expressions:
    given = {name: getattr(mapping, name) or "" for name in (*FIELDS, "alerts")}
    return Expressions(mapping.name, **given, labels=dict(mapping.labels), resolved=mapping.resolved)
