"""What a fence exports, and which later commands silently rely on it."""

from __future__ import annotations

import re
from collections.abc import Iterable

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


def exports(syntax: Syntax) -> tuple[str, ...]:
    """The top-level `export` lines, in order, as the document has them."""
    return tuple(
        syntax.text(node)
        for node in syntax.root.children
        if node.type == "declaration_command" and syntax.text(node).split()[0] == "export"
    )


def relies_on(command: str, environment: Iterable[str]) -> bool:
    """Whether a command uses a variable that one of the `export` lines sets and does not set it itself."""
    own = set(_names(command))
    return any(_used(command, name) for line in environment for name in _names(line) if name not in own)


def _names(text: str) -> list[str]:
    return _NAME.findall(text)


def _used(command: str, name: str) -> bool:
    if re.search(rf"\$\{{?{name}\b", command):
        return True
    return any(re.search(rf"(?<![\w./-]){re.escape(program)}(?![\w-])", command) for program in _READ_BY.get(name, ()))
