"""What running steps have said so far, put into the page after its panels are made.

The text stands outside the digest of a panel: a step that speaks does not make its panel a new one. With JavaScript the
page hears the rest as it is said (`live.js`); without it, a reload shows what was said by then.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from markupsafe import Markup, escape

from tocsin.incident.wording import harmless

SoFar = Callable[[str, int], tuple[str, str]]
"""(stdout, stderr) that the step of that run and index has shown."""
_MARK = re.compile(r"<!--said:([^:<>]*):(\d+)-->")
"""Only a template makes one: every text of other people's is escaped."""


def mark(run: str, index: int) -> Markup:
    """Where what the step says is to stand."""
    return Markup("<!--said:{}:{}-->").format(run, index)


def fill(markup: Markup, so_far: SoFar) -> Markup:
    """The markup with every mark replaced by what was said."""
    return Markup(_MARK.sub(lambda found: _said(so_far(found[1], int(found[2]))), markup))  # noqa: S704  escaped


def _said(spoken: tuple[str, str]) -> str:
    stdout, stderr = map(harmless, spoken)
    wrong = Markup('<span class="err">{}</span>').format(stderr) if stderr else ""
    return escape(stdout) + wrong
