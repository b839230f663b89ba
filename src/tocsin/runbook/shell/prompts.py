"""Takes `$ ` prompts, and the sample output between them, out of a fence without moving a line."""

from __future__ import annotations

import re

from msgspec import Struct

_PROMPT = re.compile(r"[ \t]*(?:[\w.-]+@[\w.-]+[^\s$#]*)?\$ +(?=\S)")
_CONTINUED = re.compile(r"[ \t]*> +")


class Unprompted(Struct, frozen=True, gc=False):
    """The text, line for line.

    `removed` maps a 0-based row to the characters taken from its start; `output` lists the rows taken for a command's
    sample output and blanked.
    """

    text: str
    removed: dict[int, int]
    output: tuple[int, ...]


def without_prompts(text: str) -> Unprompted:
    """The commands alone. A fence without a prompt comes back as it is (line ends normalised to newlines).

    In a fence with prompts, a later line that has no prompt, is no comment and continues nothing is output.
    """
    rows = text.replace("\r\n", "\n").split("\n")
    removed: dict[int, int] = {}
    output: list[int] = []
    kept: list[str] = []
    for row, content in enumerate(rows):
        continued = bool(kept) and kept[-1].endswith("\\")
        prompt = None if continued else _PROMPT.match(content)
        if prompt is None and continued and removed:
            prompt = _CONTINUED.match(content)
        if prompt is not None:
            removed[row] = prompt.end()
        elif removed and not continued and content.strip() and not content.lstrip().startswith("#"):
            output.append(row)
            content = ""
        kept.append(content[removed.get(row, 0) :])
    return Unprompted("\n".join(kept), removed, tuple(output))
