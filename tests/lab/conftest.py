"""One practice production for the tests that only look, and the recorded answers of the real programs."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tocsin.lab.production import Answer, Production

RECORDED = Path(__file__).parent / "recorded"


@pytest.fixture(scope="session")
def recording() -> Callable[[str], dict[str, Any]]:
    """A recording by its name."""

    def read(name: str) -> dict[str, Any]:
        body: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
        return body

    return read


@pytest.fixture(scope="session")
def recorded(recording: Callable[[str], dict[str, Any]]) -> Callable[[str], Answer]:
    """What the real kubectl answered."""

    def answer(name: str) -> Answer:
        body = recording(name)
        return Answer(body["rc"], body["stdout"], body["stderr"])

    return answer


@pytest.fixture(scope="session")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """A running production at rest, shared by the tests that change nothing of the backend."""
    with Production(tmp_path_factory.mktemp("production")) as started:
        yield started


@pytest.fixture(scope="session", params=["kubectl", "stand-in"])
def sh(request: pytest.FixtureRequest, production: Production) -> Callable[[str], Answer]:
    """A step's shell in the shared production, with the real kubectl and with the stand-in for it."""
    if request.param == "kubectl":
        if shutil.which("kubectl") is None:
            pytest.skip("needs kubectl on PATH")
        return production.run
    folder = production.state_dir / "without-kubectl"
    folder.mkdir()
    production.write_stand_in(folder)
    return lambda command: production.run(f"export PATH={folder}:$PATH; {command}")
