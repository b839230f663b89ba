"""The kinds of single values that settings are made of. Secrets are resolved here and masked from then on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from msgspec import Struct
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, Strict, ValidationInfo
from pydantic_core import PydanticCustomError

_DURATION = re.compile(r"(?:([0-9]+)w)?(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?")
_LONGEST = timedelta(days=3653)  # added to a time of today it must still be a time
_UNITS = ("weeks", "days", "hours", "minutes", "seconds")
_REFERENCE = re.compile(r"(env|file):(.+)", re.DOTALL)
_URL_PASSWORD = re.compile(r"(?P<before>[a-z][a-z0-9+.-]*://[^:/@]*):(?P<reference>(?:env|file):.+)@(?P<after>[^@]*)")


class Surroundings(Struct, frozen=True):
    """What values are read against: the folder that paths are relative to, and the environment."""

    folder: Path
    environ: Mapping[str, str]


def wrong(reason: str) -> PydanticCustomError:
    """A refusal of a value; `reason` is shown to the person as it is and must hold no secret."""
    return PydanticCustomError("settings", "{reason}", {"reason": reason})


def duration(text: str) -> timedelta | None:
    """The length that `90s`, `15m`, `2h`, `1d`, `1w` or `1h30m` states; None for anything else, or over ten years."""
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        return None
    try:
        length = timedelta(**{unit: int(number) for unit, number in zip(_UNITS, match.groups(), strict=True) if number})
    except OverflowError:
        return None
    return length if length <= _LONGEST else None


def _duration(value: object) -> timedelta:
    found = value if isinstance(value, timedelta) else duration(value) if isinstance(value, str) else None
    if found is None:
        raise wrong('is not a duration: write it like "30s", "15m", "2h", "1d" or "1w"')
    return found


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise wrong('must be longer than zero: write it like "30s" or "5m"')
    return value


def _path(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str) and not value.strip():
        raise wrong("is empty: give the path of a file")
    if isinstance(value, str) and isinstance(info.context, Surroundings):
        return info.context.folder / value
    return value


def _http_url(value: str) -> str:
    if not is_url(value, "http", "https"):
        raise wrong('is not a URL: write it like "https://host/path"')
    return value.rstrip("/") if urlsplit(value).path == "/" else value


def is_url(value: str, *schemes: str) -> bool:
    """Whether `value` is an absolute URL of one of `schemes` with a host and, if any, a port that exists."""
    try:
        parts = urlsplit(value)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0 and not re.search(r"\s", value)
    except ValueError:
        return False


def _host_port(value: str) -> str:
    try:
        host_port(value)
    except ValueError:
        raise wrong('is not an address to listen on: write it like "127.0.0.1:2525"') from None
    return value


def host_port(value: str) -> tuple[str, int]:
    """The host and the port of `127.0.0.1:25`, `mail:25` or `[::1]:25`; raises ValueError for anything else."""
    parts = urlsplit(f"//{value}")
    if not parts.hostname or parts.port is None or re.search(r"[\s/?#@]", value):
        raise ValueError("no host and port")
    return parts.hostname, parts.port


def _email(value: str) -> str:
    if not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", value):
        raise wrong('is not an e-mail address: write it like "ana@example.com"')
    return value


def _listed(value: object) -> object:
    return [value] if isinstance(value, str | int) else value


def _reference(value: object, info: ValidationInfo) -> object:
    """A value that must come from outside the file."""
    if not isinstance(value, str) or not isinstance(info.context, Surroundings):
        return value
    if not _REFERENCE.fullmatch(value):
        raise wrong('must be "env:NAME" or "file:PATH": a secret does not belong in the settings file')
    return _resolved(value, info.context)


def _maybe_reference(value: object, info: ValidationInfo) -> object:
    """A value that may be a reference, or a URL with a reference where its password goes (percent-encoded there)."""
    if not isinstance(value, str) or not isinstance(info.context, Surroundings):
        return value
    if _REFERENCE.fullmatch(value):
        return _resolved(value, info.context)
    if url := _URL_PASSWORD.fullmatch(value):
        password = quote(_resolved(url["reference"], info.context), safe="")
        return f"{url['before']}:{password}@{url['after']}"
    return value


def _resolved(reference: str, surroundings: Surroundings) -> str:
    kind, _, name = reference.partition(":")
    if kind == "env":
        value = surroundings.environ.get(name, "")
        if not value:
            raise wrong(f"environment variable {name} is not set or empty: set it, or take the key out")
        return value
    path = surroundings.folder / name
    try:
        value = path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise wrong(f"secret file {path} cannot be read ({error.strerror}): create it, or take the key out") from error
    except UnicodeDecodeError as error:
        raise wrong(f"secret file {path} is not UTF-8 text") from error
    if not value:
        raise wrong(f"secret file {path} is empty")
    return value


def _secret_http_url(value: SecretStr) -> SecretStr:
    if not is_url(value.get_secret_value(), "http", "https"):
        raise wrong('is not a URL: write it like "https://host/path", or "env:NAME" with the URL in that variable')
    return value


def anchored(url: str, folder: Path) -> str:
    """A database URL whose SQLite file, when its path is relative, is in `folder`; any other as it is."""
    head, slashes, rest = url.partition(":///")
    name, mark, query = rest.partition("?")
    if not head.startswith("sqlite") or not slashes or not name or name.startswith((":memory:", "file:")):
        return url
    return f"{head}:///{folder.absolute() / name}{mark}{query}"


def _database(value: SecretStr, info: ValidationInfo) -> SecretStr:
    url = value.get_secret_value()
    if not re.match(r"sqlite(\+\w+)?://(/|$)", url) and not re.match(r"postgres(ql)?(\+\w+)?://.", url):
        raise wrong('is not a database: write it like "sqlite:///tocsin.db" or "postgresql://user@host/name"')
    return SecretStr(anchored(url, info.context.folder)) if isinstance(info.context, Surroundings) else value


def _instant(value: Any) -> Any:
    if not isinstance(value, datetime | str):
        raise wrong("is not a time: write it like 2026-03-29T08:00:00")
    return value


def _of_our_time(value: datetime) -> datetime:
    if not 1970 <= value.year <= 2200:
        raise wrong("is not a time of these years: write it like 2026-03-29T08:00:00")
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
PositiveDuration = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_positive)]
Flag = Annotated[bool, Strict()]
Count = Annotated[int, Strict(), Field(ge=1)]
Port = Annotated[int, Strict(), Field(ge=0, le=65535)]
Name = Annotated[str, Strict(), Field(min_length=1)]
FilePath = Annotated[Path, BeforeValidator(_path)]
HttpUrl = Annotated[str, Strict(), AfterValidator(_http_url)]
HostPort = Annotated[str, Strict(), AfterValidator(_host_port)]
Email = Annotated[str, Strict(), AfterValidator(_email)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_listed)]
Statuses = Annotated[tuple[Annotated[int, Strict(), Field(ge=100, le=599)], ...], BeforeValidator(_listed)]
Instant = Annotated[datetime, BeforeValidator(_instant), AfterValidator(_of_our_time)]
Secret = Annotated[SecretStr, BeforeValidator(_reference)]
Masked = Annotated[SecretStr, BeforeValidator(_maybe_reference)]
Database = Annotated[SecretStr, BeforeValidator(_maybe_reference), AfterValidator(_database)]
MaskedHttpUrl = Annotated[SecretStr, BeforeValidator(_maybe_reference), AfterValidator(_secret_http_url)]
