"""The document the product was modelled on, and the project's own example: every figure they must read to."""

from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.runbook.model import Leaf, Level, Purpose, Question, Reading, StepClass, StepKind
from tocsin.runbook.reader import read

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "qawave" / "incident-response.md"
MODEL = ROOT.parent / "shared" / "runbooks" / "qawave" / "INCIDENT_RESPONSE.md"
CORPUS = ROOT.parent / "shared" / "corpus" / "open"

needs_model = pytest.mark.skipif(not MODEL.exists(), reason="the model document is not beside the project")
BOTH = pytest.mark.parametrize(
    "file", [pytest.param(MODEL, marks=needs_model, id="model"), pytest.param(EXAMPLE, id="example")]
)


def load(file: Path) -> Reading:
    return read(file.read_text(encoding="utf-8"), file=file.name)


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


@BOTH
def test_levels_and_their_response_times(file: Path) -> None:
    levels = load(file).runbook.severities
    assert [level.name for level in levels] == ["SEV1", "SEV2", "SEV3", "SEV4"]
    assert [level.response for level in levels] == [minutes(0), minutes(15), minutes(60), minutes(240)]


@BOTH
def test_indicators_of_each_level(file: Path) -> None:
    indicators = load(file).runbook.indicators
    assert [sum(i.severity == f"SEV{n}" for i in indicators) for n in (1, 2, 3, 4)] == [4, 3, 3, 3]
    assert any(i.text.startswith(">50%") for i in indicators)
    assert any(i.text.startswith("<50%") for i in indicators)


@BOTH
def test_the_escalation_matrix(file: Path) -> None:
    runbook = load(file).runbook
    assert len(runbook.escalation) == 10
    assert [(r.after, r.to) for r in runbook.rungs("SEV1")] == [
        (minutes(15), "On-call"),
        (minutes(30), "DevOps Lead"),
        (minutes(60), "Engineering Manager"),
        (minutes(120), "CTO"),
    ]
    assert [len(runbook.rungs(f"SEV{n}")) for n in (1, 2, 3, 4)] == [4, 3, 2, 1]


@BOTH
def test_the_cadence_of_updates(file: Path) -> None:
    runbook = load(file).runbook
    assert [runbook.cadence(f"SEV{n}") for n in (1, 2, 3, 4)] == [minutes(30), minutes(30), minutes(60), None]


@BOTH
def test_the_templates(file: Path) -> None:
    templates = load(file).runbook.templates
    assert [t.name for t in templates] == ["Status Page Updates", "Initial Alert", "Update", "Resolution"]
    assert templates[1].fields == ("Brief description", "1-4", "Who is affected", "name", "link")


@BOTH
def test_the_procedures_and_their_commands(file: Path) -> None:
    *procedures, reference = load(file).runbook.procedures
    assert [p.slug for p in procedures] == [
        "initial-assessment",
        "high-error-rate",
        "high-latency",
        "pod-crashes",
        "database-issues",
        "resolution-steps",
    ]
    assert [sum(s.commands for s in p.steps) for p in procedures] == [5, 3, 3, 3, 3, 4]
    assert (reference.slug, reference.purpose) == ("key-commands", Purpose.REFERENCE)


@BOTH
def test_only_reading_stands_where_steps_run_by_themselves(file: Path) -> None:
    runbook = load(file).runbook
    by_themselves = (*runbook.purpose(Purpose.ASSESSMENT), *runbook.purpose(Purpose.VERIFICATION))
    assert [p.slug for p in by_themselves] == ["initial-assessment", "resolution-steps"]
    assert {step.step_class for p in by_themselves for step in p.steps} == {StepClass.READ}


@BOTH
def test_watch_becomes_a_poll_over_the_stated_window(file: Path) -> None:
    procedure = load(file).runbook.procedure("resolution-steps")
    assert procedure is not None
    last = procedure.steps[-1]
    assert (last.poll, last.window) == (timedelta(seconds=30), (minutes(15), minutes(30)))


@BOTH
def test_the_mitigations(file: Path) -> None:
    mitigations = load(file).runbook.mitigations
    assert [m.slug for m in mitigations] == ["restart-pods", "rollback", "scale-up", "failover"]
    assert [m.step_class for m in mitigations] == [StepClass.CHANGE] * 3 + [None]
    assert mitigations[3].see is not None


@BOTH
def test_the_whole_decision_tree(file: Path) -> None:
    runbook = load(file).runbook
    questions = list(runbook.questions())
    leaves = [b for q in questions for b in (q.yes, q.no) if isinstance(b, Leaf)]
    assert (len(questions), len(leaves)) == (4, 5)
    assert [leaf.mitigation for leaf in leaves] == ["rollback", "scale-up", "restart-that-component", None, None]
    assert [leaf.escalate for leaf in leaves] == [False] * 4 + [True]
    assert all(isinstance(question.no, Question) for question in questions[:3])
    assert runbook.mitigation("restart-that-component") is not None


@BOTH
def test_what_is_ticked_and_what_is_owed(file: Path) -> None:
    runbook = load(file).runbook
    assert [(c.purpose, len(c.items)) for c in runbook.checklists] == [("verification", 6), ("follow_up", 5)]
    owed = [(p.within, len(p.items)) for p in runbook.post_incident]
    assert owed == [(timedelta(days=1), 3), (timedelta(weeks=1), 0)]
    assert runbook.postmortem is not None
    assert (len(runbook.postmortem.agenda), len(runbook.postmortem.sections)) == (4, 6)


@BOTH
def test_sources_duties_dashboards_and_documents(file: Path) -> None:
    runbook = load(file).runbook
    assert (len(runbook.alert_sources), len(runbook.responsibilities), len(runbook.dashboards)) == (4, 5, 3)
    assert [c.name for c in runbook.channels] == ["Slack #incidents"]
    assert len({link.target for link in runbook.links}) == 4


@BOTH
def test_every_entry_stands_on_its_line(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").split("\n")
    runbook = load(file).runbook
    for text, line in (
        *((s.description, s.line) for s in runbook.severities),
        *((i.text, i.line) for i in runbook.indicators),
        *((r.to, r.line) for r in runbook.escalation),
        *((t.name, t.line) for t in runbook.templates),
        *((p.title, p.line) for p in runbook.procedures),
        *((s.title.split(":")[0], s.line) for p in runbook.procedures for s in p.steps),
        *((m.action, m.line) for m in runbook.mitigations),
        *((q.question, q.line) for q in runbook.questions()),
        *((d.name, d.line) for d in runbook.dashboards),
        *((link.target, link.line) for link in runbook.links),
    ):
        assert text in lines[line - 1]


@needs_model
def test_the_models_steps_of_each_kind() -> None:
    steps = [step for procedure in load(MODEL).runbook.procedures for step in procedure.steps]
    kinds = [sum(step.kind is kind for step in steps) for kind in (StepKind.SHELL, StepKind.PROMQL, StepKind.MANUAL)]
    assert (len(steps), kinds) == (28, [25, 2, 1])
    assert [[p.name for p in s.placeholders] for s in steps if s.placeholders] == [["pod-name"]] * 3


@needs_model
def test_what_is_doubtful_in_the_model_is_said_where_it_stands() -> None:
    result = load(MODEL)
    said = {(finding.code, finding.line) for finding in result.findings if finding.level is Level.WARNING}
    assert result.errors == ()
    assert {("R302", 119), ("R302", 133), ("R302", 147), ("R302", 160), ("R302", 273), ("R302", 339)} <= said
    assert ("R305", 198) in said


def test_the_example_has_no_warnings() -> None:
    assert [f for f in load(EXAMPLE).findings if f.level is not Level.INFO] == []


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not beside the project")
def test_other_teams_documents_are_read_without_a_fall() -> None:
    for file in sorted(CORPUS.glob("*.md")):
        result = load(file)
        last = file.read_text(encoding="utf-8").count("\n") + 1
        assert all(1 <= finding.line <= last for finding in result.findings), file.name
