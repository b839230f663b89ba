"""A real Prometheus beside the practice production, when there is one on PATH: it scrapes the gateway."""

import json
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType

from tocsin.lab import lifeline

INTERVAL = "500ms"


def program() -> str | None:
    """Where it is; None when it is not here."""
    return shutil.which("prometheus")


def main(arguments: list[str]) -> int:
    """Run it until stopped: `arguments` are its folder, its port, the gateway's port."""
    folder, port, gateway = Path(arguments[0]), arguments[1], arguments[2]
    found = program() or "/usr/bin/prometheus"
    target = {"targets": [f"127.0.0.1:{gateway}"]}
    scrape = {"job_name": "practice", "honor_labels": True, "static_configs": [target]}
    settings = {"global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL}, "scrape_configs": [scrape]}
    (folder / "prometheus.yml").write_text(json.dumps(settings), encoding="utf-8")
    command = [found, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'prometheus'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error", "--query.lookback-delta=5s"]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True)
    lifeline.before_the_end(server.kill)
    lifeline.hold()
    ended = threading.Event()

    def _terminate(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, _terminate)
    while server.poll() is None and not ended.wait(0.1):
        continue
    server.kill()
    server.wait()
    return 0 if ended.is_set() else 1
