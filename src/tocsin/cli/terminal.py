"""Writing on a terminal: what its encoding cannot say becomes `?`, what would steer it is never sent."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

_STEERING = re.compile("[\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def put(lines: Sequence[str]) -> None:
    """The lines on stdout, at once."""
    text = "".join(f"{line}\n" for line in lines)
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


def put_json(body: bytes) -> None:
    """JSON as it came, in one line; characters that could steer a terminal are escaped, which changes no value."""
    text = body.decode("utf-8", "replace").strip()
    if not (sys.stdout.encoding or "utf-8").casefold().startswith("utf"):
        text = re.sub(r"[^\x00-\x7f]", _escaped, text)
    put([_STEERING.sub(_escaped, text)])


def interactive() -> bool:
    """Whether a person sits at both ends, to be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be")
    return "".join(f"\\u{units[n]:02x}{units[n + 1]:02x}" for n in range(0, len(units), 2))
