"""What pydantic found wrong, as lines for the person who wrote the file: place, key, remedy. Never a value."""

from __future__ import annotations

import types
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tocsin.config.lines import KeyPath
from tocsin.config.model import Origin, Settings, dotted

_PLAIN = {
    "string_type": 'must be text in quotes, like "..."',
    "string_too_short": "is empty",
    "too_short": "is empty",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "date_type": "must be a date without quotes, like 2026-01-05",
    "tuple_type": 'must be a list, like ["...", "..."]',
    "path_type": 'must be a path in quotes, like "runbooks/incident-response.md"',
    "pattern_type": "must be a regular expression in quotes",
    "pattern_regex": "is not a valid regular expression",
    "dict_type": "must be a table of keys and values",
    "mapping_type": "must be a table of keys and values",
    "model_type": "must be a table of keys and values",
    "model_attributes_type": "must be a table of keys and values",
}


def problems(error: ValidationError, origin: Origin) -> tuple[str, ...]:
    """One line a problem, in the order of the file."""
    found = error.errors(include_url=False, include_input=False, include_context=True)
    described = {_describe(detail, origin): origin.lines.of(_path(detail)) for detail in found}
    return tuple(sorted(described, key=lambda line: described[line]))


def did_you_mean(name: str, known: Collection[str]) -> str:
    """`did you mean "email"?` when one of `known` is like `name`, else the list of them."""
    folded = {k.casefold(): k for k in known}
    close = get_close_matches(name.casefold(), folded, n=1, cutoff=0.65)
    if close:
        return f'did you mean "{folded[close[0]]}"?'
    return f"known are {', '.join(sorted(known))}" if known else "none are defined"


def _path(detail: ErrorDetails) -> KeyPath:
    return tuple(part for part in detail["loc"] if part != "[key]")


def _describe(detail: ErrorDetails, origin: Origin) -> str:
    path = _path(detail)
    place = origin.place(path)
    table = origin.lines.table(path) if origin.file else path[:-1]
    key = dotted(path[len(table) :])
    if detail["type"] == "extra_forbidden":
        *_, last = path
        parent = dotted(path[len(table) : -1])
        inside = f" in {parent}" if parent else ""
        return f'{place} unknown key "{last}"{inside}: {did_you_mean(str(last), _keys_of(path[:-1]))}'
    if detail["type"] == "missing":
        return f'{place} missing key "{key}": add {key} = ...'
    return f"{place} {key}{': ' if key else ''}{_message(detail)}"


def _message(detail: ErrorDetails) -> str:
    if "[key]" in detail["loc"]:
        return "is not a valid name: use letters, digits and _"
    plain = _PLAIN.get(detail["type"])
    return plain or detail["msg"].replace("Input should", "must")


def _keys_of(path: KeyPath) -> tuple[str, ...]:
    """The keys that the table at `path` may have."""
    kind: Any = Settings
    for part in path:
        model = _model(kind)
        kind = _fields(model).get(str(part)) if model else _element(kind)
    model = _model(kind)
    return tuple(_fields(model)) if model else ()


def _fields(model: type[BaseModel]) -> Mapping[str, Any]:
    return {str(f.validation_alias or name): f.annotation for name, f in model.model_fields.items()}


def _model(kind: Any) -> type[BaseModel] | None:
    kind = _bare(kind)
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _element(kind: Any) -> Any:
    """What a list holds, or the values of a mapping."""
    arguments = [a for a in get_args(_bare(kind)) if a is not Ellipsis]
    return arguments[-1] if arguments else None


def _bare(kind: Any) -> Any:
    """The type without `Annotated` and without `| None`."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return _bare(next(a for a in get_args(kind) if a is not type(None)))
    return kind
