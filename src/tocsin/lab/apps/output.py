"""What a container prints, as the kubelet keeps it: time, stream, `F`, text."""

import threading
import time
from pathlib import Path


class Log:
    """A container's output."""

    def __init__(self, path: Path, app: str) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()
        self._app = app

    def write(self, text: str, *, stream: str = "stdout") -> None:
        """Append `text`, each of its lines stamped with the same instant."""
        nanoseconds = time.time_ns()
        second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanoseconds // 1_000_000_000))
        stamp = f"{second}.{nanoseconds % 1_000_000_000:09d}Z"
        with self._lock:
            self._file.writelines(f"{stamp} {stream} F {line}\n" for line in text.splitlines())
            self._file.flush()

    def line(self, level: str, text: str) -> None:
        """A line as the application writes it."""
        now = time.time()
        clock = time.strftime("%H:%M:%S", time.gmtime(now))
        self.write(f"{clock}.{int(now * 1000) % 1000:03d} {level:<5} [{self._app}] {text}")
