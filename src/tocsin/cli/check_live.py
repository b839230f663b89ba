"""`tocsin check --live`: the same readings, with what production contradicts; on stderr what could not be asked."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from msgspec import structs

from tocsin.bootstrap.living import compare
from tocsin.cli import opening
from tocsin.cli.opening import Refused
from tocsin.config import Overrides
from tocsin.runbook.model import Reading

__all__ = ["Refused", "compared"]


def compared(readings: list[Reading], texts: list[str], config: Path | None) -> list[Reading]:
    """The readings with a finding for every contradiction. Raises opening.Refused for settings that cannot be used."""
    settings = opening.settings(config, Overrides(runbook=Path(readings[0].runbook.file)))
    found = []
    for reading, text in zip(readings, texts, strict=True):
        truth = asyncio.run(compare(settings, reading.runbook, text))
        for line in truth.unasked:
            sys.stderr.write(f"{reading.runbook.file}: not compared: {line}\n")
        ordered = sorted((*reading.findings, *truth.findings), key=lambda f: (f.line, f.column, f.code))
        found.append(structs.replace(reading, findings=tuple(ordered)))
    return found
