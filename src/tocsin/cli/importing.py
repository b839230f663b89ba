"""`tocsin import`: another system's export becomes `tocsin.toml`. Writes the whole file or nothing, never over one
without being asked to."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

from tocsin.cli.complaints import complain
from tocsin.config import SettingsError, load
from tocsin.migration import matrix, merging, oncall, opsgenie, pagerduty, toml
from tocsin.migration.errors import ExportError
from tocsin.migration.plan import Ladder, Plan
from tocsin.runbook.reader import read

SYSTEMS: Mapping[str, Callable[[Path], Plan]] = {
    "opsgenie": opsgenie.read,
    "oncall": oncall.read,
    "pagerduty": pagerduty.read,
}
LEVELS = ("SEV1", "SEV2", "SEV3")
_URL = "https://TOCSIN"


def bring_over(system: str, export: Path, *, output: Path, force: bool) -> int:
    """0 once the settings are written; 2, and nothing written, for an export or a file that cannot be used.

    With `force` a file that is there is added to: what the export brings replaces its own of the same name, the rest
    stays as it is.
    """
    reader = SYSTEMS.get(system)
    if reader is None:
        return complain(f"{system} is not a system to import from: use one of {', '.join(SYSTEMS)}")
    if os.path.lexists(output) and not force:
        return complain(
            f"{output} exists already: nothing was written; name another with -o, or add to it with --force (what has "
            "another name stays as it is)"
        )
    try:
        plan = reader(export)
        text = merging.merged(output.read_text(encoding="utf-8-sig"), plan) if output.exists() else toml.text(plan)
        _place(output, text)
    except ExportError as exc:
        return complain(f"{exc}: nothing was written")
    except merging.CannotMerge as exc:
        return complain(f"{output}: {exc}: nothing was written; name another with -o")
    except SettingsError as exc:
        return complain(*[f"{line}: nothing was written" for line in str(exc).splitlines()])
    except (OSError, UnicodeDecodeError, ValueError) as exc:
        return complain(f"{output} cannot be written: {_reason(exc)}: nothing was written")
    _report(plan, output)
    return 0


def _place(output: Path, text: str) -> None:
    """The whole file at once, and only what our own loader takes. Raises SettingsError, OSError."""
    handle, name = tempfile.mkstemp(prefix=f".{output.name}.", dir=output.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        try:
            load(Path(name), environ=os.environ)
        except SettingsError as exc:
            raise SettingsError(str(exc).replace(name, str(output)).splitlines()) from exc
        os.chmod(name, output.stat().st_mode & 0o777 if output.exists() else 0o644)
        os.replace(name, output)
    except BaseException:  # Ctrl-C too leaves no half-made file behind; raised on
        os.unlink(name)
        raise


def _reason(exc: Exception) -> str:
    return (exc.strerror or str(exc)) if isinstance(exc, OSError) else str(exc)


def _report(plan: Plan, output: Path) -> None:
    layers = sum(len(s.layers) for s in plan.schedules)
    overrides = sum(len(s.overrides) + sum(len(y.overrides) for y in s.layers) for s in plan.schedules)
    print(
        f"Wrote {output} from {plan.system}: {_many(len(plan.people), 'person', 'people')}, "
        f"{_many(len(plan.schedules), 'schedule')} ({_many(layers, 'layer')}, {_many(overrides, 'override')}), "
        f"{_many(len(plan.services), 'service')}, {_many(len(plan.roles), 'role')}, "
        f"{_many(len(plan.ladders), 'escalation policy', 'escalation policies')}."
    )
    if plan.left_out:
        print(f"\nWithout an equivalent, or to look at ({len(plan.left_out)}):")
        for line in plan.left_out:
            print(f"  {line}")
    if plan.switches:
        print("\nSenders to switch (tokens: tocsin token create NAME --role responder):")
        for switch in plan.switches:
            print(f"  {switch.name}: {switch.change.format(url=_URL)}")
    _matrices(plan)
    print(f"\nNext: tocsin check RUNBOOK --config {output}, tocsin oncall --config {output}, tocsin serve")


def _matrices(plan: Plan) -> None:
    """The section to paste, and the other policies' below it; each is read back before it is shown."""
    main = matrix.main_ladder(plan)
    if main is None:
        return
    print("\nPaste into the runbook (the matrix is the document's; a row for each of its severities):\n")
    for ladder in (main, *(other for other in plan.ladders if other is not main and other.rungs)):
        used = f", used by {', '.join(ladder.services)}" if ladder.services else ""
        print(f'<!-- escalation policy "{ladder.name}"{used} -->\n')
        print(matrix.section(ladder, LEVELS))
        if not reads_back(ladder):
            print(f'tocsin: the names of "{ladder.name}" read as something else: shorten them\n')


def reads_back(ladder: Ladder) -> bool:
    """Whether the reader of runbooks finds in the section exactly the rungs that were written."""
    found = read(f"# Runbook\n\n{matrix.section(ladder, LEVELS)}", file="runbook.md").runbook.escalation
    wanted: set[tuple[str | None, timedelta | None, str]] = {
        (level, rung.after, rung.role) for level in LEVELS for rung in ladder.rungs
    }
    return {(rung.severity, rung.after, rung.to) for rung in found} == wanted


def _many(count: int, one: str, several: str = "") -> str:
    return f"{count} {one if count == 1 else several or one + 's'}"
