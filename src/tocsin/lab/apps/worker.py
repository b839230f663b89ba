"""The worker: takes a job a few times a second and writes what it made to its volume.

Traits as the web service's: `fail`, `error`, `boot_error`, `die`, `memory_mb`, and `volume_mb`, what its volume holds;
a full one gives `No space left on device`, as the kernel does.
"""

import errno
import os
import random
import threading
from pathlib import Path

from tocsin.lab.apps.container import Container, enter
from tocsin.lab.apps.web import Application, Handler, Server

EVERY_S = 0.25


def main(arguments: list[str]) -> int:
    """Work until stopped; the one argument is what `container.Given` says, as JSON."""
    container = enter(arguments[0])
    Handler.app = app = Application(container)
    server = Server(container.given["descriptor"])
    log = container.log
    log.line("INFO", f"worker {app.version} starting")
    if container.word("boot_error"):
        log.line("FATAL", container.word("boot_error"))
        container.ended.wait(0.1)
        return 1
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    ballast: list[bytearray] = []
    number = 0
    while not container.ended.wait(EVERY_S):
        number += 1
        if 8 * len(ballast) < container.trait("memory_mb"):
            ballast.append(bytearray(b"\x01") * (8 << 20))
        if container.word("die"):
            log.line("FATAL", container.word("die"))
            return 1
        _job(container, number)
    return 0


def _job(container: Container, number: int) -> None:
    try:
        if random.random() < container.trait("fail"):  # noqa: S311 - a practice load
            raise RuntimeError(container.word("error", "job failed"))
        _store(container, number)
    except (OSError, RuntimeError) as exc:
        container.log.line("ERROR", f"job {number} failed: {type(exc).__name__}: {exc}")
    else:
        container.log.line("INFO", f"job {number} done")


def _store(container: Container, number: int) -> None:
    folder = Path(container.given["state_dir"]) / "volumes" / container.app
    folder.mkdir(parents=True, exist_ok=True)
    used = sum(each.stat().st_size for each in folder.iterdir())
    if used >= container.trait("volume_mb", 64.0) * 1_000_000:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), f"/data/result-{number}")
    kept = sorted(folder.iterdir(), key=lambda each: each.name)
    for each in kept[:-20]:
        if not container.trait("keep_all"):
            each.unlink(missing_ok=True)
    (folder / f"result-{number:09d}").write_bytes(b"\x00" * 1000 * max(1, int(container.trait("result_kb", 2.0))))
