"""The documentation keeps up with the code, and its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args
from urllib.parse import unquote

import pytest
from pydantic import BaseModel

from tocsin.bootstrap import compose
from tocsin.config import load
from tocsin.config.model import Settings
from tocsin.store.database import Store
from tocsin.web.app import create_app

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
_FENCE = re.compile(r"^(`{3,}).*?^\1", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(`+)[^`].*?\1")
_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^()\s]+)\)")


def docs(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "docs.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def links(page: Path) -> list[str]:
    """The relative targets of a page, anchors cut off; what is code is no link."""
    text = _SPAN.sub("", _FENCE.sub("", page.read_text(encoding="utf-8")))
    found = (match["target"] for match in _LINK.finditer(text))
    return [
        target.partition("#")[0] for target in found if "://" not in target and not target.startswith(("#", "mailto:"))
    ]


def test_the_generated_pages_are_what_the_code_says() -> None:
    done = docs("--check")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_stale_page_is_named_and_written_anew(tmp_path: Path) -> None:
    assert docs("--folder", str(tmp_path)).returncode == 0
    (tmp_path / "cli.md").write_text("# Commands of last year\n", encoding="utf-8")
    done = docs("--check", "--folder", str(tmp_path))
    assert done.returncode == 1
    assert "cli.md is stale" in done.stderr
    assert "findings.md" not in done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    dead = [target for target in links(page) if not (page.parent / unquote(target)).exists()]
    assert dead == []


def test_every_finding_is_explained_once() -> None:
    text = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    codes = re.findall(r"^### ([RS]\d{3}) · ", text, re.MULTILINE)
    assert codes
    assert len(codes) == len(set(codes))


def test_every_path_of_the_api_is_documented(tmp_path: Path) -> None:
    text = re.sub(r"\{\w+\}", "{}", (ROOT / "docs" / "http-api.md").read_text(encoding="utf-8"))
    paths = [re.sub(r"\{\w+\}", "{}", path) for path in served_paths(tmp_path)]
    below = "/api/v1/incidents/{}/"  # commands and status documents stand in tables without what is before them
    missing = [p for p in paths if p not in text and f"`{p.removeprefix(below)}`" not in text]
    assert [p for p in missing if f"`{p.removeprefix('/api/v2/')}`" not in text] == []


def served_paths(folder: Path) -> list[str]:
    (folder / "tocsin.toml").write_text('[people.me]\n[roles]\n"*" = "me"\n', encoding="utf-8")
    settings = load(folder / "tocsin.toml", environ={})
    store = Store(settings.database.get_secret_value())
    try:
        return list(create_app(compose(settings, store=store)).openapi()["paths"])
    finally:
        store.close()


def test_every_key_of_the_settings_is_documented() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    said = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`\n]+)`", text))))
    assert sorted(keys(Settings) - said) == []


def keys(table: type[BaseModel]) -> set[str]:
    """Every key below a table, as the file writes it."""
    found: set[str] = set()
    for name, field in table.model_fields.items():
        found.add(field.validation_alias if isinstance(field.validation_alias, str) else name)
        for inner in tables(field.annotation):
            found |= keys(inner)
    return found


def tables(annotation: object) -> list[type[BaseModel]]:
    """The tables inside an annotation such as `Mapping[Name, PersonTable]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [table for inner in get_args(annotation) for table in tables(inner)]
