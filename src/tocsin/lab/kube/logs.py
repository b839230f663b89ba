"""What containers wrote, from the kubelet's files: since when, how much, of which life."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tocsin.lab.kube.failures import bad_request
from tocsin.lab.kube.kubelet import Container, log_file
from tocsin.lab.kube.objects import seconds


class Line(NamedTuple):
    """A line of a container: its RFC 3339 time in UTC with nanoseconds, and its text."""

    stamp: str
    text: str


class Wish(NamedTuple):
    """What of a log is wanted: the query string of `GET .../log`, read. `tail` -1 is all."""

    previous: bool = False
    follow: bool = False
    timestamps: bool = False
    since: float = 0.0
    tail: int = -1
    limit: int = 0


def wish(query: Mapping[str, str], *, now: float) -> Wish:
    """The wish in a query string.

    Raises:
        ApiError: a value is no number.
    """
    try:
        since = now - float(query["sinceSeconds"]) if query.get("sinceSeconds") else seconds(query.get("sinceTime"))
        tail, limit = int(query.get("tailLines") or -1), int(query.get("limitBytes") or 0)
    except ValueError as exc:
        raise bad_request(str(exc)) from exc
    told = {name: query.get(name) == "true" for name in ("previous", "follow", "timestamps")}
    return Wish(**told, since=since, tail=tail, limit=limit)


def file_of(state_dir: Path, container: Container, *, app: str, previous: bool) -> Path:
    """The file that holds what is wanted.

    Raises:
        ApiError: the container has not lived, or not twice.
    """
    if not container.started_at:
        why = container.waiting[0] or "ContainerCreating"
        raise bad_request(f'container "{app}" in pod "{container.pod}" is waiting to start: {why}')
    life = container.restarts
    between = not container.running and container.ended is None  # between two lives the last is the current one
    if previous and not between:
        life -= 1
        if life < 0:
            raise bad_request(f'previous terminated container "{app}" in pod "{container.pod}" not found')
    return log_file(state_dir, container.pod, life)


def stamp(at: float) -> str:
    """An instant as the kubelet stamps lines; compares as text."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1e9):09d}Z"


def read(path: Path) -> list[Line]:
    """A log file's lines; a line without a stamp (a crash of the interpreter) shares the one before it."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    lines: list[Line] = []
    for raw in text.splitlines():
        parts = raw.split(" ", 3)
        if len(parts) >= 3 and parts[1] in ("stdout", "stderr") and parts[2] == "F":
            lines.append(Line(parts[0], parts[3] if len(parts) > 3 else ""))
        else:
            lines.append(Line(lines[-1].stamp if lines else stamp(path.stat().st_mtime), raw))
    return lines


def chosen(lines: list[Line], wanted: Wish) -> list[Line]:
    """The lines that the wish asks for."""
    if wanted.since:
        lines = [line for line in lines if line.stamp >= stamp(wanted.since)]
    return lines if wanted.tail < 0 else lines[max(0, len(lines) - wanted.tail) :]


def shown(lines: list[Line], wanted: Wish) -> bytes:
    """The lines as they are sent."""
    text = "".join((f"{line.stamp} " if wanted.timestamps else "") + line.text + "\n" for line in lines)
    sent = text.encode("utf-8", "replace")
    return sent[: wanted.limit] if wanted.limit else sent
