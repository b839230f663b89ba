"""Children that cannot outlive their parent.

A child's standard input is a pipe whose other end only the parent holds. The kernel closes it when the parent ends,
whichever way it ends (`kill -9` too), and the child ends itself. PR_SET_PDEATHSIG would be shorter, but it fires when
the *thread* that started the child ends, and there is no such thing outside Linux.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from tocsin.lab.errors import LabError

_SOURCE = str(Path(__file__).resolve().parents[2])


def python_command(module: str, *, packages: bool = False) -> list[str]:
    """The command that runs `module`'s `main(arguments)` in a bare, fast interpreter (no site, no environment).

    With `packages` those that are installed can be imported.
    """
    code = f"import sys; sys.path.insert(0, {_SOURCE!r}); from {module} import main; sys.exit(main(sys.argv[1:]))"
    return [sys.executable, "-I" if packages else "-IS", "-c", code]


def spawn(
    module: str, arguments: list[str], *, log: Path, keep: tuple[int, ...] = (), packages: bool = False
) -> subprocess.Popen[bytes]:
    """Start `module` as a child on a lifeline; what it prints goes to `log`, descriptors in `keep` stay open in it.

    A session of its own keeps Ctrl-C from the children: they end when the parent has ended, not beside it.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            [*python_command(module, packages=packages), *arguments],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=keep,
            start_new_session=True,
        )


def hold() -> None:
    """In a child: end this process as soon as the parent is gone."""
    threading.Thread(target=_end_with_parent, daemon=True).start()


def before_the_end(act: Callable[[], None]) -> None:
    """In a child: do this too before the process ends with its parent."""
    _LAST_ACTS.append(act)


_LAST_ACTS: list[Callable[[], None]] = []


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    for act in _LAST_ACTS:
        act()
    os._exit(0)


def stop(process: subprocess.Popen[bytes], *, seconds: float = 3.0) -> None:
    """End a child that `spawn` started: politely, then for certain."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


def last_words(log: Path) -> str:
    """The end of a child's output, for the error that says why it did not start."""
    try:
        return log.read_text(encoding="utf-8", errors="replace")[-400:].strip()
    except OSError as exc:
        raise LabError(f"cannot read {log}: {exc}") from exc
