"""The parts a written review is made of. Every text in them is plain text: the renderers escape it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from tocsin.incident.state import ActionItem
from tocsin.review.metrics import AcknowledgeSla, Metric, UpdateCadence


class Paragraphs(Struct, frozen=True, tag="paragraphs", tag_field="block"):
    """Text of one or more lines; an empty line begins a new paragraph. `missing` is a line that asks for content."""

    text: str
    missing: bool = False
    title: str = ""


class Bullets(Struct, frozen=True, tag="bullets", tag_field="block"):
    items: tuple[str, ...]
    title: str = ""


class Table(Struct, frozen=True, tag="table", tag_field="block"):
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""


Block: TypeAlias = Paragraphs | Bullets | Table


class Section(Struct, frozen=True):
    title: str
    blocks: tuple[Block, ...]


class Postmortem(Struct, frozen=True):
    """A postmortem as it stands now: `sections` to be read in order, and the numbers in them once more as values.

    Those of a `drill` belong into no statistics.
    """

    incident: str
    number: int
    title: str
    severity: str
    status: str
    service: str
    opened_at: datetime
    resolved_at: datetime | None
    sections: tuple[Section, ...]
    metrics: tuple[Metric, ...]
    acknowledge_sla: AcknowledgeSla
    update_cadence: UpdateCadence
    action_items: tuple[ActionItem, ...]
    drill: bool = False


def as_json(postmortem: Postmortem) -> dict[str, Any]:
    """The postmortem in JSON's own types; times are RFC 3339 UTC, durations seconds."""
    plain: dict[str, Any] = _seconds(msgspec.to_builtins(postmortem, builtin_types=(timedelta,)))
    return plain


def _seconds(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, dict):
        return {key: _seconds(inner) for key, inner in value.items()}
    return [_seconds(inner) for inner in value] if isinstance(value, list | tuple) else value
