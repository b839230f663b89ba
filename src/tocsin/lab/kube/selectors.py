"""Label and field selectors as a query string carries them. Pure."""

import re
from collections.abc import Mapping

from tocsin.lab.kube.failures import bad_request
from tocsin.lab.kube.objects import Object, labels_of

_REQUIREMENT = re.compile(
    r"\s*(?:(?P<absent>!)\s*(?P<missing>[\w./-]+)"
    r"|(?P<key>[\w./-]+)\s*(?:(?P<op>==|=|!=)\s*(?P<value>[\w.-]*)"
    r"|\s(?P<set>in|notin)\s*\((?P<values>[^)]*)\))?)\s*(?:,|$)"
)


def labels_match(labels: Mapping[str, str], selector: str) -> bool:
    """Whether labels meet the selector; everything meets an empty one.

    Raises:
        ApiError: it cannot be read.
    """
    at = 0
    while at < len(selector):
        found = _REQUIREMENT.match(selector, at)
        if found is None:
            raise bad_request(f"unable to parse requirement: {selector[at:]!r}")
        if not _met(labels, found):
            return False
        at = found.end()
    return True


def _met(labels: Mapping[str, str], found: re.Match[str]) -> bool:
    if found["absent"]:
        return found["missing"] not in labels
    value = labels.get(found["key"])
    if found["set"]:
        values = [each.strip() for each in found["values"].split(",")]
        return (value in values) if found["set"] == "in" else value not in values
    if found["op"] is None:
        return value is not None
    return (value != found["value"]) if found["op"] == "!=" else value == found["value"]


def fields_match(each: Object, selector: str) -> bool:
    """Whether an object's fields meet a selector of `path=value` and `path!=value` parts.

    Any path is understood, where a real server knows a few for each kind.
    """
    for part in filter(None, selector.split(",")):
        path, unequal, value = part.partition("!=")
        if not unequal:
            path, _, value = part.replace("==", "=").partition("=")
        if (_field(each, path.strip()) == value.strip()) is bool(unequal):
            return False
    return True


def _field(each: Object, path: str) -> str:
    value: object = each
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def selects(selector: Object, each: Object) -> bool:
    """Whether a `LabelSelector` (matchLabels, matchExpressions) of a workload selects the object."""
    labels = labels_of(each)
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_expression(labels, one) for one in selector.get("matchExpressions") or [])


def _expression(labels: Mapping[str, str], one: Object) -> bool:
    value, operator = labels.get(one["key"]), one["operator"]
    if operator in ("Exists", "DoesNotExist"):
        return (value is not None) is (operator == "Exists")
    return (value in one["values"]) is (operator == "In")
