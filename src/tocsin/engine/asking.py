"""What a procedure asks a person for: the placeholders, what the cluster has for each, and what the alerts suggest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from tocsin.engine.ports import Choices
from tocsin.incident.alert import Alert
from tocsin.runbook.model import Placeholder

_LABELS = {
    "pod": ("pod", "pod_name", "kubernetes_pod_name"),
    "deployment": ("deployment", "workload", "app"),
    "namespace": ("namespace", "kubernetes_namespace"),
    "node": ("node", "nodename", "kubernetes_node"),
    "host": ("host", "hostname", "instance"),
}
"""Alert labels that usually hold a value of the type."""
MOST = 10


class Suggestion(Struct, frozen=True):
    """A value that an alert carries. Who can send an alert can write it: a person takes it over, or does not."""

    value: str
    label: str


class Asked(Struct, frozen=True):
    """One placeholder with what there is to choose from."""

    placeholder: Placeholder
    choices: Choices
    suggestions: tuple[Suggestion, ...] = ()


class Hindered(Struct, frozen=True):
    """Why a proposal could not be approved now. `passing` is what may pass by itself: it cannot be looked at."""

    why: str
    passing: bool = False


def suggested(placeholder: Placeholder, alerts: Iterable[Alert]) -> Sequence[Suggestion]:
    """The first values that the alerts' labels hold for the placeholder; the label of its own name counts first."""
    own = placeholder.name.replace("-", "_").casefold()
    names = dict.fromkeys((own, *_LABELS.get(placeholder.type, ())))
    found = {a.labels[name]: Suggestion(a.labels[name], name) for a in alerts for name in names if a.labels.get(name)}
    return list(found.values())[:MOST]
