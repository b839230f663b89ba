"""Any JSON as alerts, by a mapping that the settings declare: JMESPath expressions, one a field. Refuses to decide.

Source: the JMESPath specification (jmespath.org). An expression that finds nothing, or cannot take what it finds,
leaves its field out; without a title there is no alert.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult
from msgspec import Struct, field

from tocsin.incident.alert import Alert, AlertStatus, fingerprint
from tocsin.signals.decoding import decoded, text, texts
from tocsin.signals.errors import SignalError
from tocsin.signals.keyed import link, word

ENDED = ("resolved", "ok", "up", "closed", "recovered", "success", "normal", "inactive")
"""What senders commonly call the end of an alert, in lower case."""
FIELDS = ("title", "key", "status", "severity", "service", "description", "url")


class Expressions(Struct, frozen=True, dict=True):
    """Where in a body the fields of an alert stand. `alerts` is where a list of them does; empty is the body itself.

    `resolved` are the values of `status`, compared without case, that say that it is over.
    """

    name: str
    title: str
    key: str = ""
    status: str = ""
    severity: str = ""
    service: str = ""
    description: str = ""
    url: str = ""
    alerts: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    resolved: tuple[str, ...] = ENDED

    @cached_property
    def compiled(self) -> Mapping[str, ParsedResult]:
        """Each expression that is given, ready to search; labels under their own names after a dot."""
        given = {name: getattr(self, name) for name in (*FIELDS, "alerts")}
        given |= {f".{name}": expression for name, expression in self.labels.items()}
        return {name: jmespath.compile(expression) for name, expression in given.items() if expression}


def refusal(expression: str) -> str | None:
    """Why the text is no JMESPath expression, in one line; None when it is one."""
    try:
        jmespath.compile(expression)
    except JMESPathError as exc:
        return " ".join(str(exc).split("\n")[0].split())
    return None


def decode(body: bytes, expressions: Expressions, *, at: datetime) -> list[Alert]:
    """The alerts of a body that arrived `at` (aware UTC); raises SignalError naming the field at fault."""
    given = decoded(body, object)
    if not expressions.alerts:
        return [_alert(expressions, given, "", at)]
    listed = _found(expressions, "alerts", given, "")
    if not isinstance(listed, list):
        raise SignalError(f"{expressions.alerts} is no list", "alerts")
    return [_alert(expressions, one, f"alerts[{index}].", at) for index, one in enumerate(listed)]


def _alert(expressions: Expressions, given: object, place: str, at: datetime) -> Alert:
    said = {name: text(word(_found(expressions, name, given, place))).strip() for name in FIELDS}
    if not said["title"]:
        raise SignalError(f"nothing at {expressions.title}", f"{place}title")
    labels = {"alertname": said["title"]}
    labels |= {name: word(_found(expressions, f".{name}", given, place)) for name in expressions.labels}
    labels |= {name: said[name] for name in ("severity", "service") if said[name]}
    labels = {name: value for name, value in labels.items() if value}
    over = said["status"].casefold() in (ended.casefold() for ended in expressions.resolved)
    told = {"summary": said["title"], "description": said["description"]}
    return Alert(
        fingerprint=_identity(expressions.name, said["key"], texts(labels)),
        status=AlertStatus.RESOLVED if over else AlertStatus.FIRING,
        labels=texts(labels),
        annotations={name: value for name, value in told.items() if value},
        starts_at=at,
        ends_at=at if over else None,
        source=expressions.name,
        generator_url=link(said["url"]),
        group=said["key"],
    )


def _found(expressions: Expressions, name: str, given: object, place: str) -> object:
    expression = expressions.compiled.get(name)
    if expression is None:
        return None
    try:
        return expression.search(given)
    except JMESPathError as exc:
        if name not in ("title", "alerts"):
            return None  # an alert is worth more than one of its fields
        reason = " ".join(str(exc).split())
        raise SignalError(f"the mapping does not fit: {reason}", f"{place}{name}") from exc
    except RecursionError as exc:
        raise SignalError("the JSON is nested too deeply") from exc


def _identity(name: str, key: str, labels: Mapping[str, str]) -> str:
    """By the key; without one by the labels but for the severity, which may change while it lasts."""
    if key:
        return fingerprint({"source": name, "key": key})
    return fingerprint({k: v for k, v in labels.items() if k != "severity"} | {"source": name})
