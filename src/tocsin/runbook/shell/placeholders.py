"""Finds `<pod-name>`-like blanks in shell text, before any shell grammar sees them.

To bash `<name>` is two redirections: with a file called `name` present,
`kubectl rollout restart deployment/<name> -n production` runs with the namespace lost. So the blanks are found first,
masked by words of the same length, and only then is the text parsed. Offsets are bytes of the UTF-8 text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

# A letter first, words parted by single blanks, none beginning with "-": `sort <in.txt -k 2>err` stays a redirection.
_BLANK = re.compile(rb"(?<![<\\])<([A-Za-z][\w.:/#@+-]*(?: [A-Za-z0-9][\w.:/#@+-]*){0,5})>(?!>)")

_KINDS = {
    "pod": "pod", "pods": "pod", "po": "pod",
    "deployment": "deployment", "deployments": "deployment", "deploy": "deployment",
    "namespace": "namespace", "namespaces": "namespace", "ns": "namespace",
    "node": "node", "nodes": "node", "no": "node",
}  # fmt: skip
_NUMBERS = {"number", "num", "count", "replicas", "n", "revision", "port", "pid", "seconds", "minutes", "lines"}
_HOSTS = {"host", "hostname", "ip", "domain", "address"}
_NAMES = {"name", "service", "svc", "container", "app", "application", "job", "cronjob", "statefulset", "daemonset",
          "configmap", "release", "component", "cluster", "resource", "ingress", "hpa", "pvc"}  # fmt: skip
_NAMESPACE_FLAG = re.compile(rb"(?:-n|--namespace)[ =]+[\"']?$")
_OBJECT = re.compile(rb"(?:^|[\s\"'])([a-z]+)[ /]+[\"']?$")


class Blank(Struct, frozen=True, gc=False):
    """One place where a value is wanted: bytes `start` to `end` (exclusive) of the text."""

    name: str
    start: int
    end: int


def find_blanks(source: bytes) -> tuple[Blank, ...]:
    """Every blank of the text, in order, a name as often as it stands there."""
    return tuple(Blank(m[1].decode("utf-8", "replace"), m.start(), m.end()) for m in _BLANK.finditer(source))


def mask(source: bytes, blanks: Iterable[Blank]) -> bytes:
    """The text with each blank replaced by a plain word of the same length."""
    masked = bytearray(source)
    for blank in blanks:
        inner = re.sub(rb"[^A-Za-z0-9]", b"_", source[blank.start + 1 : blank.end - 1])
        masked[blank.start : blank.end] = b"x" + inner + b"x"
    return bytes(masked)


def type_of(blank: Blank, source: bytes) -> str:
    """What kind of value is wanted, by the words of its name, then by what stands before it; "text" when unknown.

    A name that only says "name" takes its kind from the place: `deployment/<name>` wants a deployment.
    """
    words = re.findall(r"[a-z0-9]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", blank.name).lower())
    named = _by_words(words)
    if named in ("name", "text"):
        return _by_place(source[: blank.start]) or named
    return named


def _by_words(words: list[str]) -> str:
    for word in words:
        if word in _KINDS:
            return _KINDS[word]
    for word in words:
        if word in _HOSTS:
            return "host"
        if word in _NUMBERS:
            return "number"
    return "name" if _NAMES.intersection(words) else "text"


def _by_place(before: bytes) -> str | None:
    if _NAMESPACE_FLAG.search(before):
        return "namespace"
    found = _OBJECT.search(before)
    return _KINDS.get(found[1].decode()) if found else None
