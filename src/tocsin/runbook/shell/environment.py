"""What a fence exports, and which later commands silently rely on it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from tocsin.runbook.shell.syntax import Syntax

_NAME = re.compile(r"(?:^|[\s;])([A-Za-z_]\w*)=")
# Variables a program reads without the text naming them.
_READ_BY = {
    "KUBECONFIG": ("kubectl", "k", "oc", "helm", "stern", "argocd"),
    "PGHOST": ("psql", "pg_dump", "pg_isready"),
    "PGPASSWORD": ("psql", "pg_dump"),
    "PGUSER": ("psql", "pg_dump"),
    "PGDATABASE": ("psql", "pg_dump"),
    "AWS_PROFILE": ("aws", "terraform", "eksctl"),
    "AWS_REGION": ("aws", "terraform", "eksctl"),
    "VAULT_ADDR": ("vault",),
    "DOCKER_HOST": ("docker", "docker-compose"),
}
_PROGRAMS = tuple(
    (name, programs, re.compile(rf"(?<![\w./-])(?:{'|'.join(map(re.escape, programs))})(?![\w-])"))
    for name, programs in _READ_BY.items()
)
_USED = re.compile(r"\$\{?([A-Za-z_]\w*)")


def exports(syntax: Syntax) -> tuple[str, ...]:
    """The top-level `export` lines, in order, as the document has them."""
    return tuple(
        syntax.text(node)
        for node in syntax.root.children
        if node.type == "declaration_command" and syntax.text(node).split()[0] == "export"
    )


def relies_on(command: str, environment: Iterable[str]) -> bool:
    """Whether a command uses a variable that one of the `export` lines sets and does not set it itself."""
    used = uses_of(command)
    return bool(used) and any(name in used for line in environment for name in names_of(line))


def names_of(line: str) -> list[str]:
    """The variables that a line sets."""
    return _NAME.findall(line)


@lru_cache(maxsize=256)
def uses_of(command: str) -> frozenset[str]:
    """The variables that a command uses, by name or through a program that reads them, and does not set itself."""
    used = set(_USED.findall(command)) if "$" in command else set()
    for name, programs, wording in _PROGRAMS:
        if any(program in command for program in programs) and wording.search(command):  # the first is far cheaper
            used.add(name)
    return frozenset(used.difference(names_of(command)))
