"""Imported tables put into the text of a settings file that is there. Refuses to lose anything else of it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from tocsin.migration import toml
from tocsin.migration.plan import Plan

_HEADER = re.compile(r"^[ \t]*\[{1,2}(?P<path>[^\]\n]+)\]{1,2}[ \t]*(?:#.*)?$", re.MULTILINE)
_ASSIGN = re.compile(r"^[ \t]*(?P<key>\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*'|[A-Za-z0-9_-]+)[ \t]*=", re.MULTILINE)


class CannotMerge(ValueError):
    """The text is written in a way that nothing can be put into without losing something; the message is one line."""


def merged(text: str, plan: Plan) -> str:
    """The text with the plan's people, schedules, services and roles in it; those of the same name are replaced.

    Everything else stays, comments too. Raises CannotMerge when the result would say anything else differently.
    """
    before = tomllib.loads(text)
    names = {
        "people": {p.id for p in plan.people},
        "schedules": {s.id for s in plan.schedules},
        "services": {s.id for s in plan.services},
    }
    kept = "".join(block for path, block in _blocks(text) if not _replaced(path, names))
    kept = _with_roles(kept, plan.roles)
    has = {h["name"] for h in before.get("sources", {}).get("heartbeats", ())}
    fresh = [t for t in toml.tables(plan) if not (t.startswith("[[sources.") and any(f'"{n}"' in t for n in has))]
    result = kept.rstrip("\n") + "\n\n" + "\n".join(fresh)
    _nothing_lost(before, result, plan, names)
    return result


def _blocks(text: str) -> list[tuple[tuple[str, ...], str]]:
    """Each table with its header's path; what stands before the first has an empty one."""
    heads = list(_HEADER.finditer(text))
    ends = [head.start() for head in heads] + [len(text)]
    blocks: list[tuple[tuple[str, ...], str]] = [((), text[: ends[0]])]
    for head, end in zip(heads, ends[1:], strict=True):
        blocks.append((_path(head["path"]), text[head.start() : end]))
    return blocks


def _path(header: str) -> tuple[str, ...]:
    try:
        node: Any = tomllib.loads(f"{header} = 1")
    except tomllib.TOMLDecodeError:
        return ()
    parts: list[str] = []
    while isinstance(node, dict):
        (part, node), *_ = node.items()
        parts.append(part)
    return tuple(parts)


def _replaced(path: tuple[str, ...], names: Mapping[str, set[str]]) -> bool:
    return len(path) > 1 and path[1] in names.get(path[0], ())


def _with_roles(text: str, roles: Mapping[str, tuple[str, ...]]) -> str:
    """The roles in the table that is there, lines of the same name replaced; a table of their own without one."""
    found = [head for head in _HEADER.finditer(text) if _path(head["path"]) == ("roles",)]
    if not roles:
        return text
    if not found:
        return text.rstrip("\n") + "\n\n" + toml.roles(roles)
    start = found[0].end()
    following = _HEADER.search(text, start)
    end = following.start() if following else len(text)
    lines = [line for line in text[start:end].strip("\n").split("\n") if not _is_role(line, roles)]
    body = "\n".join([*lines, *toml.role_lines(roles)]).strip("\n")
    return f"{text[:start]}\n{body}\n\n{text[end:]}"


def _is_role(line: str, roles: Mapping[str, tuple[str, ...]]) -> bool:
    found = _ASSIGN.match(line)
    return found is not None and _path(found["key"])[:1] != () and _path(found["key"])[0] in roles


def _nothing_lost(before: dict[str, Any], result: str, plan: Plan, names: Mapping[str, set[str]]) -> None:
    try:
        after = tomllib.loads(result)
    except tomllib.TOMLDecodeError as error:
        raise CannotMerge(f"what is there cannot be added to as it is written ({error})") from error
    for table, ours in {**names, "roles": set(plan.roles)}.items():
        old = {k: v for k, v in before.get(table, {}).items() if k not in ours}
        if {k: v for k, v in after.get(table, {}).items() if k not in ours} != old:
            raise CannotMerge(f"[{table}] is written in a way that cannot be added to: use [{table}.NAME] tables")
    rest = [k for k in before if k not in (*names, "roles", "sources")]
    if any(before[k] != after.get(k) for k in rest) or not _within(before.get("sources", {}), after.get("sources", {})):
        raise CannotMerge("something beside people, schedules, services and roles would change")


def _within(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether all of the sources is still there; heartbeats may have come."""
    beats = before.get("heartbeats", [])
    same = all(before[k] == after.get(k) for k in before if k != "heartbeats")
    return same and list(after.get("heartbeats", []))[: len(beats)] == list(beats)
