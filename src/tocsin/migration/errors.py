"""
ValueError
└── ExportError    the export cannot be read: which file, which field, why
"""

from __future__ import annotations


class ExportError(ValueError):
    """Whose fault: the export's. `str()` is one line with the file, the field in it (a JSONPath) and the reason."""

    def __init__(self, file: str, field: str, reason: str) -> None:
        super().__init__(f"{file}: {field}: {reason}" if field else f"{file}: {reason}")
        self.file = file
        self.field = field
        self.reason = reason
