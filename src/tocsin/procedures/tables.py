"""Reads the tables that `kubectl get` prints for people: which row is not as it should be."""

from __future__ import annotations

import re

_FINE = {"Running", "Completed", "Succeeded", "Terminating"}
_HEADER = re.compile(r"^(?:NAMESPACE\s+)?NAME\s+(?:READY|STATUS)\s")


def unhealthy_row(text: str) -> str | None:
    """What the first bad row says, e.g. "backend-1 is CrashLoopBackOff"; None when all are well or there is no table.

    Knows pods (READY, STATUS), workloads (READY as a/b) and nodes (STATUS).
    """
    columns: list[str] = []
    for line in text.splitlines():
        if _HEADER.match(line):
            columns = line.split()
            continue
        row = dict(zip(columns, line.split(), strict=False))
        if not _is_row(row, columns):
            columns = []
        elif problem := _problem(row):
            return problem
    return None


def _is_row(row: dict[str, str], columns: list[str]) -> bool:
    """Whether the line belongs to the table above it; what another command prints right after it does not."""
    if len(row) < min(3, len(columns)) or not columns:
        return False
    return "READY" not in row or re.fullmatch(r"\d+/\d+", row["READY"]) is not None


def _problem(row: dict[str, str]) -> str | None:
    name, status, ready = row.get("NAME", ""), row.get("STATUS", ""), row.get("READY", "")
    if "ROLES" in row:
        return f"node {name} is {status}" if not status.startswith("Ready") else None
    if status and "READY" in row and status not in _FINE:
        return f"{name} is {status}"
    counts = re.fullmatch(r"(\d+)/(\d+)", ready)
    if counts and int(counts[1]) < int(counts[2]) and status not in ("Completed", "Succeeded", "Terminating"):
        return f"{name} has {counts[1]} of {counts[2]} ready"
    return None
