"""The rules of the settings for what becomes of alerts."""

from __future__ import annotations

from datetime import time, timedelta

from tocsin.config import Settings
from tocsin.config import triage as config
from tocsin.config.rosters import role_of
from tocsin.engine.triage import Inhibition, Join, Route, Service, Triage
from tocsin.incident.matchers import parse_all
from tocsin.incident.silences import Window


def triage(settings: Settings) -> Triage:
    """Services, routes, maintenance windows and inhibitions, each kind in the order written."""
    return Triage(
        services=tuple(Service(name, dict(s.match)) for name, s in settings.services.items()),
        routes=tuple(_route(n, r) for n, r in enumerate(settings.routes, start=1)),
        windows=tuple(_window(m) for m in settings.maintenance),
        inhibitions=tuple(
            Inhibition(n, parse_all(i.source), parse_all(i.target), i.equal)
            for n, i in enumerate(settings.inhibit, start=1)
        ),
        joins=tuple(Join(n, parse_all(j.match), j.equal, j.within) for n, j in enumerate(settings.join, start=1)),
    )


def _route(number: int, r: config.Route) -> Route:
    role = role_of(r.schedule) if r.schedule else r.role or ""
    return Route(
        number,
        parse_all(r.match),
        service=r.service or "",
        severity=r.severity or "",
        role=role,
        incident=r.incident,
        runbook=r.runbook or "",
        after_quiet=r.resolve.value if r.resolve else "",
        quiet=r.resolve_after,
    )


def _window(m: config.Maintenance) -> Window:
    return Window(
        name=m.name,
        matchers=parse_all(m.match),
        comment=m.comment,
        days=tuple(config.DAYS.index(day) for day in m.days),
        at=m.at or time(),
        length=m.length or timedelta(),
        timezone=m.timezone,
        starts_at=m.instant(m.starts) if m.starts else None,
        ends_at=m.instant(m.ends) if m.ends else None,
    )
