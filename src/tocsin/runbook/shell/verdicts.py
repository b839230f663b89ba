"""Classifications and how several of them make one: the worst counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from tocsin.runbook.model import StepClass
from tocsin.runbook.shell.model import Classification
from tocsin.runbook.shell.words import Word

_DESTROYS = re.compile(
    r"(?<![\w-])(?:rm|rmdir|delete|destroy|drop|truncate|drain|apply|patch|purge|kill|pkill|killall|terminate|shred|mkfs"
    r"|dd|uninstall|flushall|flushdb|prune|shutdown|reboot)(?![\w-])",
    re.IGNORECASE,
)
_HARM = {StepClass.READ: 0, StepClass.CHANGE: 1, StepClass.DESTRUCTIVE: 2}


class Call(Struct, frozen=True):
    """A program call to be judged. `fed` is true when something is written to its standard input.

    `judge` classifies another argument list in its place (`sudo X`), `judge_text` a shell text (`sh -c TEXT`).
    """

    program: str
    arguments: Sequence[Word]
    fed: bool
    judge: Callable[[Sequence[Word]], Classification]
    judge_text: Callable[[str], Classification]


Rule = Callable[[Call], Classification]


def read(reason: str) -> Classification:
    return Classification(StepClass.READ, reason)


def change(reason: str) -> Classification:
    return Classification(StepClass.CHANGE, reason)


def destructive(reason: str) -> Classification:
    return Classification(StepClass.DESTRUCTIVE, reason)


def is_read(verdict: Classification) -> bool:
    return verdict.step_class is StepClass.READ


def worst(verdicts: Iterable[Classification]) -> Classification | None:
    """The first of the most harmful; None of none."""
    return max(verdicts, key=lambda verdict: _HARM[verdict.step_class], default=None)


def by_words(text: str, reason: str) -> Classification:
    """What to say of a text that was not understood: a change for `reason`, destructive when a word of it says so."""
    found = _DESTROYS.search(text)
    return destructive(f"it says {found[0]!r}, and {reason}") if found else change(reason)
