"""Tables, YAML, JSON paths, ages: how kubectl prints."""

import json
import time
from collections.abc import Sequence
from typing import Any

from tocsin.lab.kubectl.options import KubectlError

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def age(at: float, *, now: float | None = None) -> str:
    """How long ago, as apimachinery's HumanDuration writes it: `45s`, `3m20s`, `25m`, `6h`, `12d`."""
    whole = max(0, int((time.time() if now is None else now) - at))
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    if whole < 10 * _MINUTE:
        return _two(whole, _MINUTE, 1, "ms")
    if whole < 3 * _HOUR:
        return f"{whole // _MINUTE}m"
    if whole < 8 * _HOUR:
        return _two(whole, _HOUR, _MINUTE, "hm")
    if whole < 2 * _DAY:
        return f"{whole // _HOUR}h"
    if whole < 8 * _DAY:
        return _two(whole, _DAY, _HOUR, "dh")
    return f"{whole // _DAY}d"


def _two(whole: int, large: int, small: int, units: str) -> str:
    rest = whole % large // small
    return f"{whole // large}{units[0]}" + (f"{rest}{units[1]}" if rest else "")


def table(rows: Sequence[Sequence[str]], *, trailing: bool = False) -> str:
    """Columns three spaces apart; `trailing` pads the last one too, as `kubectl top` does."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = ["".join(cell.ljust(width + 3) for cell, width in zip(row, widths, strict=True)) for row in rows]
    if not trailing:
        lines = [
            "".join(cell.ljust(width + 3) for cell, width in zip(row[:-1], widths[:-1], strict=True)) + row[-1]
            for row in rows
        ]
    return "\n".join(lines) + "\n"


def indented(rows: Sequence[Sequence[str]], indent: str) -> str:
    """A table inside a description: two spaces apart, indented."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "".join(
        indent + "".join(cell.ljust(width + 2) for cell, width in zip(row[:-1], widths, strict=False)) + row[-1] + "\n"
        for row in rows
    )


def as_json(value: object) -> str:
    """Indented by four, keys sorted, as kubectl prints objects."""
    return json.dumps(value, indent=4, sort_keys=True) + "\n"


def as_yaml(value: object) -> str:
    """YAML as kubectl prints objects: keys sorted, list items level with their key."""
    return "\n".join(_yaml(value)) + "\n"


def _yaml(value: object) -> list[str]:
    if isinstance(value, dict) and value:
        lines: list[str] = []
        for key in sorted(value):
            inner = value[key]
            if isinstance(inner, dict | list) and inner:
                pad = "" if isinstance(inner, list) else "  "
                lines += [f"{key}:", *(pad + line for line in _yaml(inner))]
            else:
                lines.append(f"{key}: {_scalar(inner)}")
        return lines
    if isinstance(value, list) and value:
        return [line for item in value for line in _item(item)]
    return [_scalar(value)]


def _item(value: object) -> list[str]:
    first, *rest = _yaml(value)
    return [f"- {first}", *(f"  {line}" for line in rest)]


def _scalar(value: object) -> str:
    if isinstance(value, str) and not _ambiguous(value):
        return value
    return json.dumps(value)


def _ambiguous(text: str) -> bool:
    if not text or text != text.strip() or text[0] in "-?:,[]{}#&*!|>'\"%@`" or ": " in text or " #" in text:
        return True
    if text.lower() in ("true", "false", "null", "yes", "no", "on", "off", "~") or text.endswith(":"):
        return True
    number_or_time = text[0].isdigit() and (text.replace(".", "", 1).isdigit() or "T" in text)
    return number_or_time or "\n" in text


def json_path(template: str, value: object) -> str:
    """What `-o jsonpath=` prints: paths in braces with `[n]`, `[*]`, `..` not understood; other text as it is.

    Raises:
        KubectlError: the template is not understood.
    """
    printed, rest = "", template
    while rest:
        text, brace, rest = rest.partition("{")
        printed += text
        if not brace:
            break
        inside, closed, rest = rest.partition("}")
        if not closed:
            raise KubectlError("error: error parsing jsonpath " + template + ", unclosed action")
        quoted = inside.strip()
        if quoted[:1] == '"' and quoted[-1:] == '"':
            printed += json.loads(quoted)
        else:
            printed += " ".join(_plain(found) for found in find(quoted, value))
    return printed


def find(path: str, value: object) -> list[Any]:
    """The values at a dotted path; none where it leads nowhere."""
    found: list[Any] = [value]
    for part in path.strip("{}").removeprefix("$").replace("[", ".[").split("."):
        if part == "[*]":
            found = [inner for each in found if isinstance(each, list) for inner in each]
        elif part.startswith("["):
            number = part[1:-1]
            if not number.lstrip("-").isdigit():
                raise KubectlError(f"error: error parsing jsonpath {path}, this form of it is not understood here")
            lists = [each for each in found if isinstance(each, list)]
            found = [each[int(number)] for each in lists if -len(each) <= int(number) < len(each)]
        elif part:
            found = [each[part] for each in found if isinstance(each, dict) and part in each]
    return found


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
