"""Folders of practice productions: gone with their process, cleared away by the next when it was killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tocsin.lab.folders import sweep, throwaway

HELD = (
    "import sys, tempfile, time; tempfile.tempdir = sys.argv[1]\n"
    "from tocsin.lab.folders import throwaway\n"
    "with throwaway() as folder: print(folder, flush=True); time.sleep(60)"
)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary directory of the test's own: others' productions are not its business."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_is_gone_afterwards_whatever_was_put_there(temporary: Path) -> None:
    with throwaway() as folder:
        (folder / "production").mkdir()
        assert list(temporary.iterdir()) == [folder]
    assert list(temporary.iterdir()) == []


def test_a_folder_in_use_is_left_alone_and_one_of_a_killed_process_is_cleared_away(temporary: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HELD, str(temporary)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        folder = Path(other.stdout.readline().strip())
        sweep()
        assert folder.is_dir()
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert folder.is_dir()
    with throwaway() as mine:
        assert list(temporary.iterdir()) == [mine]


def test_what_is_not_known_to_be_left_behind_stays(temporary: Path) -> None:
    (temporary / "tocsin-practice-being-made").mkdir()
    sweep()
    assert len(list(temporary.iterdir())) == 1
