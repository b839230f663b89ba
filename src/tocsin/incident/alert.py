"""An alert: a signal that matters, firing or resolved, whoever sent it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

DRILL = "DRILL: "
"""How whatever is told of a drill begins."""
_NO_DRILL = ("", "false", "no", "0")


class AlertStatus(StrEnum):
    FIRING = "firing"
    RESOLVED = "resolved"


class Alert(Struct, frozen=True):
    """One alert as its source last described it; times are aware UTC.

    `fingerprint` names the label set: the same alert resent, or sent by a second peer, carries the same one. `group` is
    the sender's own grouping key and decides nothing. `ends_at` is None while it fires. `began` is ours: when it was
    last seen to begin, oldest first, as far back as it may still be called flapping; so is `held`, what keeps it from
    being an incident while that lasts: `silence:ID`, `maintenance:NAME` or `inhibit:FINGERPRINT` (of the alert in its
    place).
    """

    fingerprint: str
    status: AlertStatus
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: datetime
    ends_at: datetime | None
    source: str
    generator_url: str = ""
    group: str = ""
    began: tuple[datetime, ...] = ()
    held: str = ""

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "alert")

    @property
    def drill(self) -> bool:
        """Whether it only practises: labelled `drill`, or told as one."""
        labelled = self.labels.get("drill", "").strip().casefold() not in _NO_DRILL
        return labelled or self.summary.startswith(DRILL)

    @property
    def summary(self) -> str:
        """The sender's one-line description, or the alert's name when it gave none."""
        return self.annotations.get("summary") or self.annotations.get("description") or self.name


def fingerprint(labels: Mapping[str, str]) -> str:
    """The 16 hex digits that stand for this label set, whatever its order."""
    text = "\x1f".join([f"{k}\x1e{v}" for k, v in sorted(labels.items())])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def named_by(key: str) -> str:
    """The fingerprint of the alert that senders name by a key of their own: PagerDuty's dedup_key, Opsgenie's alias."""
    return fingerprint({"key": key})


def group_signal(alert: Alert) -> str:
    """The fingerprint by which PagerDuty's and Opsgenie's senders tell of the alert's whole group; empty for no group.

    Alertmanager names it to both by the sha256 of the groupKey that its webhook carries.
    """
    return _signal_of(alert.group)


@lru_cache(maxsize=4096)
def _signal_of(group: str) -> str:
    """All alerts of a body share their group."""
    if not group.startswith("{"):
        return ""
    return named_by(hashlib.sha256(group.encode("utf-8", "surrogatepass")).hexdigest())
