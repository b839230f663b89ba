"""Shell fences and commands of a runbook, read and judged without running anything."""

from tocsin.runbook.shell.classify import classify
from tocsin.runbook.shell.contexts import Quoting, Use, uses
from tocsin.runbook.shell.endings import last_words
from tocsin.runbook.shell.environment import names_of, relies_on, uses_of
from tocsin.runbook.shell.model import Classification, Command, Fence
from tocsin.runbook.shell.splitter import read_command, split_fence, window_of
from tocsin.runbook.shell.syntax import parse

__all__ = [
    "Classification",
    "Command",
    "Fence",
    "Quoting",
    "Use",
    "classify",
    "last_words",
    "names_of",
    "parse",
    "read_command",
    "relies_on",
    "split_fence",
    "uses",
    "uses_of",
    "window_of",
]
