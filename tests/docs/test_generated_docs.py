"""The documentation keeps up with the code, and its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
_FENCE = re.compile(r"^(`{3,}).*?^\1", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^()\s]+)\)")


def docs(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "docs.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def links(page: Path) -> list[str]:
    """The relative targets of a page, anchors cut off; what stands in fences is no link."""
    found = (match["target"] for match in _LINK.finditer(_FENCE.sub("", page.read_text(encoding="utf-8"))))
    return [
        target.partition("#")[0] for target in found if "://" not in target and not target.startswith(("#", "mailto:"))
    ]


def test_the_generated_pages_are_what_the_code_says() -> None:
    done = docs("--check")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_stale_page_is_named_and_written_anew(tmp_path: Path):
    assert docs("--folder", str(tmp_path)).returncode == 0
    (tmp_path / "cli.md").write_text("# Commands of last year\n", encoding="utf-8")
    done = docs("--check", "--folder", str(tmp_path))
    assert done.returncode == 1
    assert "cli.md is stale" in done.stderr
    assert "findings.md" not in done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(page: Path):
    dead = [target for target in links(page) if not (page.parent / unquote(target)).exists()]
    assert dead == []


def test_every_finding_is_explained_once() -> None:
    text = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    codes = re.findall(r"^### ([RS]\d{3}) · ", text, re.MULTILINE)
    assert codes
    assert len(codes) == len(set(codes))
