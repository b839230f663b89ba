"""Findings as SARIF 2.1.0, which code hosts show beside the lines of a change."""

from __future__ import annotations

from pathlib import PurePath

from tocsin.runbook.findings import CATALOGUE
from tocsin.runbook.model import Finding, Level, Reading
from tocsin.runbook.report import Json
from tocsin.runbook.shell.catalogue import CATALOGUE as SHELL_CATALOGUE

_LEVELS = {Level.ERROR: "error", Level.WARNING: "warning", Level.INFO: "note"}


def as_sarif(readings: list[Reading]) -> dict[str, Json]:
    """One run over all documents; columns count code points, as the finding's do."""
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "tocsin", "rules": [_rule(code) for code in _rules(readings)]}},
                "columnKind": "unicodeCodePoints",
                "results": [_result(r.runbook.file, found) for r in readings for found in r.findings],
            }
        ],
    }


def _rules(readings: list[Reading]) -> list[str]:
    return sorted({found.code for reading in readings for found in reading.findings})


def _rule(code: str) -> Json:
    known = next((entry for entry in (*CATALOGUE, *SHELL_CATALOGUE) if entry.code == code), None)
    if known is None:
        return {"id": code}
    return {
        "id": code,
        "shortDescription": {"text": known.title},
        "fullDescription": {"text": known.explanation},
        "defaultConfiguration": {"level": _LEVELS[known.level]},
    }


def _result(file: str, finding: Finding) -> Json:
    text = f"{finding.message}. {finding.hint}" if finding.hint else finding.message
    return {
        "ruleId": finding.code,
        "level": _LEVELS[finding.level],
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": PurePath(file).as_posix()},
                    "region": {"startLine": finding.line, "startColumn": finding.column},
                }
            }
        ],
    }
