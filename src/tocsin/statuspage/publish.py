"""The public page as static files, so that it reads while Tocsin and its database are away.

Each file is replaced whole: a reader sees the old one or the new one. The files are not one transaction; the page
itself comes last, after the documents it stands for.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from tocsin.statuspage.errors import DestinationError, PublishError
from tocsin.statuspage.feed import atom
from tocsin.statuspage.summary import documents
from tocsin.statuspage.view import Component, PageInfo, PublicIncident

INDEX = "index.html"


def destination(setting: str) -> Path:
    """The folder that `file:/srv/status` (or `file:///srv/status`) names. Raises DestinationError for anything else."""
    parts = urlsplit(setting)
    path = Path(unquote(parts.path))
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not path.is_absolute():
        raise DestinationError(f'[status_page] publish = "{setting}" must be an absolute folder, as "file:/srv/status"')
    return path


def files(
    page: PageInfo,
    incidents: Sequence[PublicIncident],
    components: Sequence[Component],
    *,
    index: str,
    now: datetime,
) -> dict[str, bytes]:
    """Every file of the page by its path in the folder, the page itself last. `index` is its HTML."""
    written = {
        f"api/v2/{path}": msgspec.json.encode(document)
        for path, document in documents(page, incidents, components, now).items()
    }
    return {**written, "feed.atom": atom(page, incidents, now), INDEX: index.encode("utf-8", "replace")}


def publish(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Writes the files, in their order, readable by everybody. Raises PublishError; what was not yet written stays."""
    for name, content in contents.items():
        try:
            _replace(folder / name, content)
        except OSError as error:
            reason = error.strerror or str(error)
            raise PublishError(f"cannot write the status page's {name} into {folder}: {reason}") from error


def _replace(target: Path, content: bytes) -> None:
    """Writes beside the target and renames over it, once the bytes are on the disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)  # a temporary file is its owner's alone; the web server is somebody else
        os.replace(name, target)
    except BaseException:  # a stop in the middle too leaves no half-written file behind; raised on
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise
