"""Lengths of time as people type them on the command line."""

from __future__ import annotations

from datetime import timedelta

import typer

from tocsin.runbook.durations import parse


def length(text: str, option: str) -> timedelta:
    """`20m`, `2h`, `90s`, `1d`. Raises a usage error that names the option."""
    found = parse(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no length of time: write it like 90s, 20m, 2h or 1d", param_hint=option)
    return found
