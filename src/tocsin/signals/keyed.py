"""What the senders share that name an alert by a key of their own: PagerDuty's `dedup_key`, Opsgenie's `alias`.

Alertmanager sends both as the sha256 hex of its groupKey, so the same key from either is the same alert. Refuses to
read bodies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from tocsin.incident.alert import named_by
from tocsin.signals.decoding import text
from tocsin.signals.errors import SignalError

LABEL_LIMIT = 200
"""Characters of a value that still names something; longer ones are told as annotations."""
MESSAGE_MARK = re.compile(r"^\[(?:FIRING|RESOLVED)(?::\d+)?\]\s*")
_BLOCK, _LABEL = "Labels:\n", " - "


def of_key(key: str) -> str:
    """The fingerprint of the alert that senders name by this key."""
    return named_by(text(key))


def listed_labels(listing: str) -> dict[str, str]:
    """The labels of the first alert of Alertmanager's text listing (template `__text_alert_list`); none without one.

    What says what the group is about: its first alert is the first of the webhook, too. A severity counts only when
    all of them share it, because nobody says in which order they stand.
    """
    _, found, after = f"\n{listing}".partition(f"\n{_BLOCK}")
    labels: dict[str, str] = {}
    for line in after.split("\n") if found else ():
        name, equals, value = line.partition(" = ")
        if not name.startswith(_LABEL) or not equals:
            break
        labels[name.removeprefix(_LABEL)] = value
    if "severity" in labels and listing.count(_BLOCK) != listing.count(f"\n{_LABEL}severity = {labels['severity']}\n"):
        del labels["severity"]
    return labels


def split_details(details: Mapping[str, object]) -> tuple[dict[str, str], dict[str, str]]:
    """(labels, annotations) that a sender's free fields give: one short line is a label, anything else is told."""
    labels: dict[str, str] = {}
    told: dict[str, str] = {}
    for name, value in details.items():
        said = word(value)
        if said:
            (labels if len(said) <= LABEL_LIMIT and "\n" not in said else told)[text(name)] = text(said)
    return labels, told


def word(value: object) -> str:
    """A JSON value as text: itself, a number or a boolean as JSON writes it, anything deeper as JSON; None is empty."""
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return msgspec.json.encode(value).decode()
    except RecursionError as exc:
        raise SignalError("the JSON is nested too deeply") from exc


def link(*candidates: str | None) -> str:
    """The first that is a web address; a link that a page shows must not be anything else."""
    return next((text(c) for c in candidates if c and c.startswith(("https://", "http://"))), "")
