"""What a kubectl command acts on: the workload it names, and the namespace. Pure: reads the document's words."""

from __future__ import annotations

import re
import shlex

from msgspec import Struct

_KUBECTL = re.compile(r"(?:^|[\s;&|(])(?:kubectl|k|oc)\s")
_CLUSTER = re.compile(r"(?:^|[\s;&|(])(?:kubectl|k|oc|helm|istioctl|flux|argocd|kustomize|stern|velero)\b")
_WORKLOADS = {
    "deployment": "deployment", "deployments": "deployment", "deploy": "deployment", "statefulset": "statefulset",
    "statefulsets": "statefulset", "sts": "statefulset", "daemonset": "daemonset", "daemonsets": "daemonset",
    "ds": "daemonset",
}  # fmt: skip
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?|<[^<>\s]+>")
_CONTROL = frozenset({";", "&&", "||", "|", "&"})


class Target(Struct, frozen=True):
    """`name` and `namespace` may be placeholders, `<name>`; a namespace that is not named is empty."""

    kind: str
    name: str
    namespace: str = ""


def asks_cluster(command: str) -> bool:
    """Whether the command talks to a Kubernetes cluster, as far as its words say."""
    return bool(_CLUSTER.search(command))


def target(command: str) -> Target | None:
    """The workload that a `rollout` or `scale` acts on; None when there is none, more than one, or words in the way."""
    found = {t for part in _commands(command) if (t := _of(part)) is not None}
    return found.pop() if len(found) == 1 else None


def namespace(command: str) -> str:
    """The namespace that the command's first kubectl names, perhaps a placeholder; empty when it names none."""
    return next((_namespace(part) for part in _commands(command) if _namespace(part)), "")


def _commands(command: str) -> list[list[str]]:
    """The words of each kubectl in the text, without what is before it."""
    if not _KUBECTL.search(command):
        return []
    lexer = shlex.shlex(command.replace("\\\n", " "), posix=True, punctuation_chars=";&|")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError:
        return []
    parts: list[list[str]] = [[]]
    for word in words:
        if word in _CONTROL:
            parts.append([])
        else:
            parts[-1].append(word)
    return [part[i + 1 :] for part in parts for i, word in enumerate(part) if word in ("kubectl", "k", "oc")]


def _of(words: list[str]) -> Target | None:
    verbs = [w for w in words if w in ("rollout", "scale")]
    if not verbs:
        return None
    for at, word in enumerate(words):
        kind, _, name = word.partition("/")
        if not name and kind in _WORKLOADS and at + 1 < len(words):
            name = words[at + 1]
        if kind in _WORKLOADS and _NAME.fullmatch(name):
            return Target(_WORKLOADS[kind], name, _namespace(words))
    return None


def _namespace(words: list[str]) -> str:
    for at, word in enumerate(words):
        given = ""
        if word in ("-n", "--namespace") and at + 1 < len(words):
            given = words[at + 1]
        elif word.startswith(("--namespace=", "-n=")):
            given = word.partition("=")[2]
        if given and _NAME.fullmatch(given):
            return given
    return ""
