"""Reads the settings, once: file, environment, command line. What is wrong is all reported together."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from msgspec import Struct
from pydantic import ValidationError

from tocsin.config.errors import SettingsError
from tocsin.config.lines import lines
from tocsin.config.model import Origin, Settings
from tocsin.config.problems import problems
from tocsin.config.scalars import Surroundings, anchored

USUAL_FILE = "tocsin.toml"
_PLACE = re.compile(r" \((?:at line (?P<line>\d+), column (?P<column>\d+)|at end of document)\)$")


class Overrides(Struct, frozen=True):
    """What the command line says; None is "nothing". Relative paths are of the working directory."""

    runbook: Path | None = None
    database: str | None = None
    host: str | None = None
    port: int | None = None


def default_runbook() -> Path:
    """The example runbook that comes with the package."""
    return Path(str(files("tocsin"))) / "examples" / "qawave" / "incident-response.md"


def load(path: Path | None, *, environ: Mapping[str, str], overrides: Overrides = Overrides()) -> Settings:
    """The settings in force: defaults, then the file, then TOCSIN_DATABASE, then `overrides`.

    The file is `path`, else TOCSIN_CONFIG, else `tocsin.toml` in the working directory when there is one, else none at
    all: then one person, "me", holds every role and is told on the console. Raises SettingsError.
    """
    chosen = path or _named(environ) or (Path(USUAL_FILE) if Path(USUAL_FILE).is_file() else None)
    if chosen is None:
        return _validated(_alone(), Origin(folder=Path.cwd()), Surroundings(Path.cwd(), environ), overrides)
    text = _read(chosen)
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([_syntax(chosen, text, str(error))]) from error
    folder = chosen.parent.absolute()
    return _validated(given, Origin(str(chosen), lines(text), folder), Surroundings(folder, environ), overrides)


def _named(environ: Mapping[str, str]) -> Path | None:
    name = environ.get("TOCSIN_CONFIG", "")
    return Path(name) if name else None


def _alone() -> dict[str, Any]:
    return {"people": {"me": {"name": "Me"}}, "roles": {"*": "me"}}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise SettingsError(
            [f"{path}: no such file: name another with --config, or write one with `tocsin init`"]
        ) from error
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise SettingsError([f"{path}: is not UTF-8 text: save it as UTF-8"]) from error


def _syntax(path: Path, text: str, message: str) -> str:
    place = _PLACE.search(message)
    line = int(place["line"]) if place and place["line"] else text.rstrip().count("\n") + 1
    return f"{path}:{line}: not valid TOML: {_PLACE.sub('', message)}: quote texts, one key = value a line"


def _validated(given: dict[str, Any], origin: Origin, surroundings: Surroundings, overrides: Overrides) -> Settings:
    asked = {name: value for name, value in _asked(surroundings.environ, overrides).items() if value is not None}
    given = {"runbook": str(default_runbook()), "database": "sqlite:///tocsin.db"} | given | asked
    try:
        settings = Settings.model_validate(given, context=surroundings, by_alias=True, by_name=False)
    except ValidationError as error:
        raise SettingsError(problems(error, origin)) from error
    settings._origin = origin
    return settings


def _asked(environ: Mapping[str, str], overrides: Overrides) -> dict[str, object]:
    here = Path.cwd()
    database = overrides.database or environ.get("TOCSIN_DATABASE") or None
    return {
        "runbook": str(here / overrides.runbook) if overrides.runbook else None,
        "database": anchored(database, here) if database else None,
        "host": overrides.host,
        "port": overrides.port,
    }
