"""A runbook written back is the same runbook: on documents, and on runbooks nobody wrote."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.runbook.model import Cadence, PostIncident, Runbook, Severity, Template
from tocsin.runbook.reader import read
from tocsin.runbook.render import render
from tocsin.runbook.report import Json, as_json

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT.parent / "shared" / "corpus" / "open"
EXAMPLE = ROOT / "examples" / "qawave" / "incident-response.md"
PLACES = {"line", "digest", "file", "findings", "linked"}


def placeless(value: Json) -> Json:
    """The JSON of a reading without what a document's layout decides: lines, and the order of links and tasks."""
    if isinstance(value, dict):
        return {
            key: sorted(map(repr, map(placeless, inner)))
            if key in {"links", "post_incident"} and isinstance(inner, list)
            else placeless(inner)
            for key, inner in value.items()
            if key not in PLACES
        }
    return [placeless(inner) for inner in value] if isinstance(value, list) else value


def again(text: str) -> tuple[Json, Json]:
    first = read(text, file="a.md")
    return placeless(as_json(first)), placeless(as_json(read(render(first.runbook), file="b.md")))


def test_the_example_survives_being_written_back() -> None:
    first, second = again(EXAMPLE.read_text(encoding="utf-8"))
    assert first == second


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not beside the project")
@pytest.mark.parametrize("file", sorted(CORPUS.glob("*.md")), ids=lambda file: file.stem)
def test_other_teams_documents_survive_being_written_back(file: Path) -> None:
    first, second = again(file.read_text(encoding="utf-8"))
    assert first == second


WORD = st.text("abcdefghijklmnopqrstuvwxyz", min_size=4, max_size=9).map(lambda word: f"q{word}")
WORDS = st.lists(WORD, min_size=1, max_size=4).map(" ".join)
DRESS = st.sampled_from(["*", "_", "`", "|", "<b>", "\\", "[a](b)", "~", "**", "é", "#"])
TEXT = st.tuples(WORDS, DRESS, WORDS).map(" ".join)
LENGTH = st.integers(1, 600).map(lambda minutes: timedelta(minutes=minutes))


@st.composite
def runbooks(draw: st.DrawFn) -> Runbook:
    names = [f"SEV{number}" for number in range(1, draw(st.integers(2, 4)) + 1)]
    return Runbook(
        "Incidents",
        "a.md",
        "",
        severities=tuple(Severity(name, draw(TEXT), timedelta(minutes=5), "5 min", draw(TEXT), 0) for name in names),
        update_cadence=tuple(Cadence(name, draw(LENGTH), 0) for name in names),
        templates=tuple(Template(name.title(), (), draw(TEXT), 0) for name in draw(st.sets(WORDS, max_size=3))),
        post_incident=tuple(PostIncident(draw(WORDS), draw(LENGTH), (), 0) for _ in range(draw(st.integers(0, 3)))),
    )


@given(runbooks())
@settings(max_examples=60, deadline=None)
def test_a_runbook_nobody_wrote_is_read_as_it_is(runbook: Runbook) -> None:
    found = read(render(runbook), file="a.md").runbook
    assert [(s.name, s.description, s.response, s.examples) for s in found.severities] == [
        (s.name, s.description, s.response, s.examples) for s in runbook.severities
    ]
    assert [(c.severity, c.every) for c in found.update_cadence] == [
        (c.severity, c.every) for c in runbook.update_cadence
    ]
    assert [(t.name, t.body) for t in found.templates] == [(t.name, t.body) for t in runbook.templates]
    assert {(p.what, p.within) for p in found.post_incident} == {(p.what, p.within) for p in runbook.post_incident}


def test_an_option_of_several_lines_is_written_back_once() -> None:
    first, second = again("## Mitigation\n### Flush\n```bash\nredis-cli SELECT 1\nredis-cli FLUSHDB\n```\n")
    assert first == second
