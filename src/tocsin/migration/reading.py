"""The files of an export -> entities of known kinds, each with its place. Refuses to judge what they mean.

Systems answer in pages (`{"data": [...]}`), in objects (`{"schedule": {...}}`) or in plain lists, and people save them
as they like: what an entity is, is told by its fields, else by what holds it, else by the name of its file or folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from tocsin.migration.errors import ExportError

T = TypeVar("T")
LARGEST = 100_000_000
"""Bytes of one file."""


class Entity(Struct, frozen=True):
    """One thing of the export: `path` is where in `file` it stands, as a JSONPath."""

    kind: str
    file: str
    path: str
    data: dict[str, Any]

    def fit(self, shape: type[T]) -> T:
        """The entity as `shape`. Raises ExportError naming the field that does not fit."""
        try:
            return msgspec.convert(self.data, shape, strict=True)
        except msgspec.ValidationError as error:
            reason, _, field = str(error).partition(" - at `")
            raise self.wrong(field.rstrip("`").removeprefix("$"), reason.replace("`", "")) from error

    def wrong(self, field: str, reason: str) -> ExportError:
        """The refusal of a field of this entity, to raise; `field` begins with a dot."""
        return ExportError(self.file, self.path + field, reason)


class Form(Struct, frozen=True):
    """How a system writes: `told` gives an entity's kind by its fields (empty: not one), `holders` the kind of what a
    key holds, `pages` the keys of a page. `holders` also name kinds in the names of files and folders."""

    told: Callable[[Mapping[str, Any]], str]
    holders: Mapping[str, str]
    pages: tuple[str, ...] = ()


def entities(export: Path, form: Form) -> tuple[Entity, ...]:
    """Everything in a file, or in every `.json` file of a folder and its folders. Raises ExportError."""
    found: list[Entity] = []
    for file in _files(export):
        shown = str(file.relative_to(export.parent if export.is_file() else export))
        found += _walk(_json(file, shown), _Place(form, shown, "$"), _named(file, form))
    if not any(entity.kind for entity in found):
        raise ExportError(str(export), "", "holds nothing that is known of such an export: is it another system's?")
    return tuple(found)


class _Place(Struct, frozen=True):
    form: Form
    file: str
    path: str

    def __truediv__(self, part: str | int) -> _Place:
        return _Place(self.form, self.file, self.path + (f"[{part}]" if isinstance(part, int) else f".{part}"))


def _walk(data: Any, place: _Place, kind: str) -> Iterator[Entity]:
    if isinstance(data, list):
        for number, one in enumerate(data):
            yield from _walk(one, place / number, kind)
        return
    if not isinstance(data, dict):
        raise ExportError(place.file, place.path, f"expected an object or a list, got {_kind_of(data)}")
    told = place.form.told(data)
    if told:
        yield Entity(told, place.file, place.path, data)
        return
    holds = {key: place.form.holders.get(key, kind) for key in data if key in place.form.holders}
    holds |= {key: kind for key in data if key in place.form.pages}
    inside = {key: k for key, k in holds.items() if isinstance(data[key], dict | list)}
    for key, held in inside.items():
        yield from _walk(data[key], place / key, held)
    if not inside:
        yield Entity(kind, place.file, place.path, data)


def _files(export: Path) -> list[Path]:
    if export.is_file():
        return [export]
    if not export.is_dir():
        raise ExportError(str(export), "", "no such file or folder")
    found = sorted(path for path in export.rglob("*.json") if path.is_file())
    if not found:
        raise ExportError(str(export), "", "has no .json file: save the answers of the system's API there")
    return found


def _json(file: Path, shown: str) -> Any:
    try:
        if file.stat().st_size > LARGEST:
            raise ExportError(shown, "", f"is larger than {LARGEST // 1_000_000} MB")
        return json.loads(file.read_bytes())
    except OSError as error:
        raise ExportError(shown, "", f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ExportError(shown, "", "is not UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise ExportError(shown, f"line {error.lineno} column {error.colno}", f"not valid JSON: {error.msg}") from error
    except RecursionError as error:
        raise ExportError(shown, "", "is nested too deeply") from error


def _named(file: Path, form: Form) -> str:
    """The kind that the file's name, else its folder's, says: `users.json`, `users-2.json`, `users/U1.json`."""
    for name in (file.stem, file.parent.name):
        plain = name.casefold().replace("-", "_")
        for key, kind in sorted(form.holders.items(), key=lambda item: -len(item[0])):
            if plain == key.casefold() or plain.startswith(f"{key.casefold()}_"):
                return kind
    return ""


def _kind_of(data: Any) -> str:
    return {str: "a text", int: "a number", float: "a number", bool: "true or false"}.get(type(data), "null")
