"""`tocsin check`: reads runbooks and prints what was understood, with every finding; judges nothing itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from textwrap import fill
from urllib.parse import unquote, urlsplit

from msgspec import structs

from tocsin.neighbours import read_beside
from tocsin.runbook import findings
from tocsin.runbook.mending import MENDED, mend
from tocsin.runbook.model import Finding, Link, Reading
from tocsin.runbook.reader import read
from tocsin.runbook.report import as_json, as_text
from tocsin.runbook.sarif import as_sarif
from tocsin.runbook.shell.catalogue import CATALOGUE as SHELL_CATALOGUE
from tocsin.runbook.siblings import with_linked

FORMATS = ("text", "json", "sarif")


class UnreadableError(Exception):
    """A file that cannot be checked; its text is the one line to show."""


def check(files: list[Path], *, format: str, config: Path | None, fix: bool = False, live: bool = False) -> int:
    """The exit code: 0 when no document has an error, 1 when one has, 2 when an argument cannot be used.

    The report goes to stdout, what is wrong with the arguments to stderr in one line. A `config` must exist; a
    runbook is read without it, since settings never change what a document says. With `fix` the documents are mended
    first, where only one way of writing it can be meant; what was mended is told on stderr. With `live` production, as
    the settings know it, is asked whether what they say is true. Without `files` those that `config` names are checked.
    """
    if format not in FORMATS:
        return _refused(f'unknown format "{format}": use one of {", ".join(FORMATS)}')
    if config is not None and not config.is_file():
        return _refused(f"{config}: no such configuration file")
    try:
        files = files or (_of_settings(config) if config is not None else [])
        if not files:
            return _refused("no runbook given: name at least one Markdown file, or --config for those of the settings")
        texts = [(file, _mended(file) if fix else _text(file)) for file in files]
    except UnreadableError as error:
        return _refused(str(error))
    readings = [reading_of(text, file) for file, text in texts]
    if live:
        # only this loads what asks production: reading a document must stay instant
        from tocsin.cli.check_live import Refused, compared

        try:
            readings = compared(readings, [text for _, text in texts], config)
        except Refused as refused:
            return _refused("; ".join(refused.lines))
    _print(_rendered(format, readings, [text for _, text in texts]))
    return 1 if any(reading.errors for reading in readings) else 0


def _of_settings(config: Path) -> list[Path]:
    """Every runbook that the settings name. Raises UnreadableError."""
    # only this loads the settings: reading a document must stay instant
    from tocsin.cli import opening

    try:
        settings = opening.settings(config)
    except opening.Refused as exc:
        raise UnreadableError("; ".join(exc.lines)) from exc
    return [settings.runbook_file(name) for name in ("", *settings.runbooks)]


def explain(code: str) -> int:
    """Prints what a code of findings means and what to write instead; the exit code is 2 for an unknown one."""
    from tocsin.diagnosis.contradictions import CATALOGUE as LIVE_CATALOGUE

    known = {entry.code: entry for entry in (*findings.CATALOGUE, *SHELL_CATALOGUE, *LIVE_CATALOGUE)}
    entry = known.get(code.strip().upper())
    if entry is None:
        near = get_close_matches(code.strip().upper(), known, n=3, cutoff=0.4)
        meant = f"; perhaps {' or '.join(near)}" if near else ""
        return _refused(f'no finding has the code "{code}"{meant}; docs/findings.md lists them all')
    mended = "\n`tocsin check --fix` mends it." if entry.code in MENDED else ""
    _print(f"{entry.level.value} {entry.code}: {entry.title}\n\n{fill(entry.explanation, width=100)}{mended}")
    return 0


def reading_of(text: str, file: Path) -> Reading:
    """The reading of a document that lies at `file`, with the procedures of the documents it links to and a finding for
    every relative link that leads nowhere."""
    reading = read(text, file=str(file))
    dead = dead_links(reading.runbook.links, lambda target: _exists(file.parent / target))
    ordered = sorted((*reading.findings, *dead), key=lambda found: (found.line, found.column, found.code))
    return with_linked(structs.replace(reading, findings=tuple(ordered)), text, read_beside(reading, text, file))


def _mended(file: Path) -> str:
    """The document's text, mended and written back where something could be."""
    text = _text(file)
    result = mend(text, file=str(file))
    if result.text != text:
        mark = "\ufeff" if file.read_bytes().startswith(b"\xef\xbb\xbf") else ""
        try:
            file.write_bytes((mark + result.text).encode("utf-8"))
        except OSError as error:
            raise UnreadableError(f"{file}: cannot be written: {error.strerror}") from None
    for found in result.mended:
        sys.stderr.write(f"{file}:{found.line}: mended {found.code}: {found.message}\n")
    return result.text


def dead_links(links: tuple[Link, ...], exists: Callable[[str], bool]) -> list[Finding]:
    """A finding for each link to a file for which `exists` is false; addresses and anchors are not asked."""
    said = []
    for link in links:
        parts = urlsplit(link.target) if _is_address(link.target) else None
        if parts is None or parts.scheme or parts.netloc or not parts.path or parts.path.startswith("/"):
            continue
        if not exists(unquote(parts.path)):
            message = f'"{link.text}" links to {link.target}, which does not exist'
            said.append(
                findings.at(findings.BROKEN_LINK, (link.line, 1), message, "Correct the path or write the file.")
            )
    return said


def _is_address(target: str) -> bool:
    try:
        urlsplit(target)
    except ValueError:
        return False
    return "\0" not in target


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except OSError:  # a name too long for the file system names no file
        return False


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise UnreadableError(f"{file}: no such file") from None
    except IsADirectoryError:
        raise UnreadableError(f"{file}: this is a directory; name a Markdown file") from None
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{file}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableError(f"{file}: cannot be read: {reason}") from None


def _rendered(format: str, readings: list[Reading], texts: list[str]) -> str:
    if format == "text":
        return "\n\n".join(as_text(reading, _lines(text)) for reading, text in zip(readings, texts, strict=True))
    if format == "sarif":
        return json.dumps(as_sarif(readings), indent=2, ensure_ascii=False)
    data = [as_json(reading) for reading in readings]
    return json.dumps(data[0] if len(data) == 1 else data, indent=2, ensure_ascii=False)


def _print(text: str) -> None:
    """Writes to stdout; what its encoding cannot say becomes `?` rather than a failure."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _refused(reason: str) -> int:
    sys.stderr.write(f"tocsin: {reason}\n")
    return 2


__all__ = ["FORMATS", "check", "dead_links", "explain", "reading_of"]
