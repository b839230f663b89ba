"""Values for placeholders: checked by type, then referred to from the environment. Never pasted into a command."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from tocsin.procedures.errors import RefusedError
from tocsin.runbook.model import Placeholder
from tocsin.runbook.shell import Quoting, Use, parse, uses

_NAME = r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?"
_TYPES = {
    # Kubernetes object names, https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
    "pod": (re.compile(_NAME), 253, "a Kubernetes name: small letters, digits, '-' and '.'"),
    "deployment": (re.compile(_NAME), 253, "a Kubernetes name: small letters, digits, '-' and '.'"),
    "node": (re.compile(_NAME), 253, "a Kubernetes name: small letters, digits, '-' and '.'"),
    "namespace": (re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"), 63, "a namespace: small letters, digits and '-'"),
    "number": (re.compile(r"[0-9]+"), 10, "a whole number"),
    "host": (re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9.:]*[A-Za-z0-9])?"), 253, "a host name or address"),
    "name": (re.compile(r"[A-Za-z0-9_](?:[\w.:/@-]*[A-Za-z0-9_])?", re.ASCII), 253, "a plain name"),
    # No character that a second shell, a glob or SQL would read: a value may travel further than the first expansion.
    "text": (re.compile(r"[\w @%+=:,./#?!~^-]+"), 1000, "text without quotes, brackets, $ ; & | < > and backslashes"),
}


def check_value(placeholder: Placeholder, value: str) -> str | None:
    """Why the value is refused for the placeholder, in words for the person who gave it; None when it may be used."""
    if placeholder.refused:
        return f"no value can be given safely here: {placeholder.refused}"
    if not value:
        return "a value is needed"
    if any(unicodedata.category(character)[0] == "C" for character in value):
        return "it holds control or invisible characters"
    if value.startswith("-"):
        return "it begins with '-', so a program would take it for an option"
    pattern, longest, wanted = _TYPES.get(placeholder.type, _TYPES["text"])
    if len(value) > longest:
        return f"it is longer than {longest} characters"
    if not pattern.fullmatch(value):
        return f"it is not {wanted}"
    return None


def refusals(placeholders: Sequence[Placeholder], values: Mapping[str, str]) -> dict[str, str]:
    """Placeholder name -> why its value, or the want of one, keeps the step from running; empty when it can run."""
    checked = {p.name: check_value(p, values.get(p.name, "")) for p in placeholders}
    return {name: reason for name, reason in checked.items() if reason}


def variable(name: str) -> str:
    """The environment variable that carries a placeholder's value, e.g. TOCSIN_VALUE_POD_NAME."""
    return "TOCSIN_VALUE_" + re.sub(r"[^A-Za-z0-9]", "_", name).upper()


def environment_of(placeholders: Sequence[Placeholder], values: Mapping[str, str]) -> dict[str, str]:
    """The variables to run with. Raises RefusedError for a value that must not be used."""
    refused = refusals(placeholders, values)
    if refused:
        name, reason = next(iter(refused.items()))
        raise RefusedError(f"<{name}>: {reason}")
    return {variable(p.name): values[p.name] for p in placeholders}


def substitute(command: str, placeholders: Sequence[Placeholder]) -> str:
    """The command with each placeholder turned into a quoted reference to its variable; no value appears in it.

    Raises RefusedError where no reference is safe, or when two names would share a variable.
    """
    wanted = {p.name for p in placeholders}
    if len({variable(name) for name in wanted}) != len(wanted):
        raise RefusedError("two placeholders differ only in punctuation")
    syntax = parse(command)
    parts: list[bytes] = []
    at = 0
    for use in uses(syntax):
        if use.refused:
            raise RefusedError(f"<{use.blank.name}>: {use.refused}")
        if use.blank.name not in wanted:
            raise RefusedError(f"<{use.blank.name}>: it was not announced as a placeholder")
        parts += [syntax.source[at : use.blank.start], _reference(use)]
        at = use.blank.end
    return (b"".join(parts) + syntax.source[at:]).decode("utf-8", "replace")


def _reference(use: Use) -> bytes:
    reference = "${" + variable(use.blank.name) + "}"
    if use.quoting is Quoting.BARE:
        return f'"{reference}"'.encode()
    if use.quoting is Quoting.SINGLE:
        return f"'\"{reference}\"'".encode()
    return reference.encode()
