"""`tocsin oncall`: who holds each role at an instant, by the settings."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from tocsin.bootstrap import read_runbook
from tocsin.cli import opening
from tocsin.cli.complaints import complain
from tocsin.config import SettingsError, roster
from tocsin.feeds import feeds


def oncall(config: Path | None, *, at: str | None, as_json: bool) -> int:
    """Prints one line a role."""
    try:
        instant = datetime.fromisoformat(at) if at else datetime.now(UTC)
    except ValueError:
        return complain(f"{at!r} is no instant: write it like 2026-03-01T08:00Z")
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    try:
        found = opening.settings(config)
        reading, _ = read_runbook(found.runbook)
        people = roster(found, feeds=feeds(found), runbook=reading.runbook)
    except opening.Refused as exc:
        return complain(*exc.lines)
    except SettingsError as exc:
        return complain(*str(exc).splitlines())
    held = {role: [p.name for p in people.holders(role, instant)] for role in people.role_names}
    if as_json:
        print(json.dumps({"at": instant.astimezone(UTC).isoformat().replace("+00:00", "Z"), "roles": held}, indent=1))
    else:
        width = max(map(len, held), default=0)
        for role, names in held.items():
            print(f"{role:{width}}  {', '.join(names) or 'nobody'}")
    return 0
