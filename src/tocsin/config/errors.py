"""What can be wrong with the settings.

SettingsError           the person who wrote the settings must mend them; `problems` are finished lines for a terminal
"""

from __future__ import annotations

from collections.abc import Iterable


class SettingsError(Exception):
    """The settings are refused: one line a problem, with file, line, key, what is wrong, how to mend it; no secret."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))
