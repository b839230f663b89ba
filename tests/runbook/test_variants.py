"""The ways real teams write each part: one small document for each, of our own wording."""

from datetime import timedelta

import pytest

from tocsin.runbook.model import Question, Runbook, StepKind
from tocsin.runbook.reader import read

LEVELS = "## Severity\n| Level | Description |\n|--|--|\n| P0 - Critical | a |\n| P1 - High | b |\n\n"


def book(text: str) -> Runbook:
    return read(text, file="runbook.md").runbook


def seconds(time: timedelta | None) -> int | None:
    return None if time is None else int(time.total_seconds())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "| Sev | Definition | Pager | Resolve |\n|--|--|--|--|\n| Sev-1 | x | Immediate | 4h |\n"
            "| Sev-2 | y | 15 min | 1d |",
            [0, 900],
        ),
        (
            "| Severity | Ack Time | Action |\n|--|--|--|\n| P1 | 5 min ack, 4 h resolution | page |\n"
            "| P2 | 30 min | page |",
            [300, 1800],
        ),
        ("| # | Name | Response Target |\n|--|--|--|\n| 1 | Critical | 15 min |\n| 2 | Major | 30 min |", [900, 1800]),
        (
            "| Nível | Descrição | Tempo de Resposta |\n|--|--|--|\n| P0 — Crítico | x | < 2 horas |\n"
            "| P1 | y | Próximo sprint |",
            [7200, None],
        ),
        ("### P0 - Critical (Response: 15 minutes)\n- x\n### P1 (Page immediately)\n- y", [900, 0]),
        ("### P0\n- **Response**: Immediate all-hands\n### P1\n- **Response Time:** Within 1 hour", [None, 3600]),
        (
            "### SEV1\n| Attribute | Definition |\n|--|--|\n"
            "| **Response Time** | must acknowledge within **5 minutes** |\n### SEV2\n",
            [300, None],
        ),
        (
            "- **SEV1 (blocking):** all down. Response time: 15 minutes.\n- **SEV2**: slow (respond within 1 hour)",
            [900, 3600],
        ),
        (
            "- **Critical (P1)**: x\n- **High (P2)**: y\n\n### Response Time Targets\n"
            "- **Critical**: 5 minutes\n- **High**: 15 minutes",
            [300, 900],
        ),
        (
            "**P0 - Critical**\n- x\n- Response time: Immediate (< 15 minutes)\n\n**P1 - High**\n"
            "- Response time: < 1 hour",
            [900, 3600],
        ),
    ],
)
def test_levels_with_their_response(text: str, expected: list[int | None]) -> None:
    assert [seconds(level.response) for level in book(f"## Severity levels\n{text}\n").severities] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "1. On-call engineer (15 min)\n2. **Team Lead** - If not resolved in 30 minutes\n3. CTO (P0 only, 2 hours)",
            [(None, 900, "On-call engineer"), (None, 1800, "Team Lead"), ("P0", 7200, "CTO")],
        ),
        (
            "- **T+0**: On-call\n- **T+30m (P0)**: Page Engineering Manager",
            [(None, 0, "On-call"), ("P0", 1800, "Engineering Manager")],
        ),
        (
            "1. **L1**: On-call engineer\n2. **L2**: Team lead (after 15 min)",
            [(None, 0, "On-call engineer"), (None, 900, "Team lead")],
        ),
        (
            "### P0\n- **Immediate**: On-call\n- **Within 15 minutes**: Product Owner, CTO",
            [("P0", 0, "On-call"), ("P0", 900, "Product Owner, CTO")],
        ),
        (
            "| Level | Contact | Trigger |\n|--|--|--|\n"
            "| L2 - Team lead | phone | P0/P1 unresolved > 30 min |\n| L3 - CTO | phone | data breach |",
            [("P0", 1800, "L2 - Team lead"), ("P1", 1800, "L2 - Team lead"), (None, None, "L3 - CTO")],
        ),
        ("| Time | Action |\n|--|--|\n| T+10 (P0) | Page all engineers |", [("P0", 600, "all engineers")]),
        (
            "| Severity | Initial Response | Escalation 1 |\n|--|--|--|\n| Critical | Immediate | 15 minutes |",
            [("P0", 900, "Escalation 1")],
        ),
        (
            "```\nL1: On-call engineer\n   |\n   v (P1 not resolved in 30 min)\nL2: Team lead\n```",
            [(None, 0, "On-call engineer"), ("P1", 1800, "Team lead")],
        ),
        (
            "```\nP0/P1:\n1. On-call\n2. CTO (1 hour)\n```",
            [("P0", 0, "On-call"), ("P1", 0, "On-call"), ("P0", 3600, "CTO"), ("P1", 3600, "CTO")],
        ),
        (
            "On-call → Team Lead (15 min) → CTO (1 hour)",
            [(None, 0, "On-call"), (None, 900, "Team Lead"), (None, 3600, "CTO")],
        ),
        (
            "- If it is not resolved within 30 minutes, escalate to the Engineering Manager\n"
            "- If data is lost, notify Legal",
            [(None, 1800, "Engineering Manager"), (None, None, "Legal")],
        ),
        ("### Triggers\n- Team lead unhappy for 30 min\n- Manager asks", []),
        ("- Response targets missed\n- Several failed attempts", []),
    ],
)
def test_escalation(text: str, expected: list[tuple[str | None, int | None, str]]) -> None:
    rungs = book(f"{LEVELS}## Escalation\n{text}\n").escalation
    assert [(rung.severity, seconds(rung.after), rung.to) for rung in rungs] == expected


def test_a_label_below_a_level_escalates_that_level() -> None:
    first = "## Severity levels\n### P0\n- Response time: 5 min\n- **Escalation:** CTO (after 15 min)\n"
    text = first + "### P1\n- **Escalation:** Within 1 hour\n"
    assert [(r.severity, seconds(r.after), r.to) for r in book(text).escalation] == [("P0", 900, "CTO")]


def test_phone_numbers_are_no_ladder() -> None:
    text = "## Emergency contacts\n### On-Call Rotation\n- **Primary**: +1-555-0100\n- **Secondary**: +1-555-0101\n"
    assert book(text).escalation == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- P0: Every 15 minutes\n- P1: hourly", [("P0", 900), ("P1", 3600)]),
        ("**Update cadence:** P0 every 15 min, P1 every 60 min", [("P0", 900), ("P1", 3600)]),
        ("- **Channel updates** every 15-30 minutes", [(None, 1800)]),
        ("Monitor the graphs every 5 minutes.", []),
        ("```\nWe will provide updates every 30 minutes.\n```", []),
    ],
)
def test_cadence(text: str, expected: list[tuple[str | None, int]]) -> None:
    rules = book(f"{LEVELS}## Communication\n{text}\n").update_cadence
    assert [(rule.severity, seconds(rule.every)) for rule in rules] == expected


def test_a_rule_for_all_holds_where_no_other_does() -> None:
    assert book(f"{LEVELS}## Communication\nPost updates every 30 minutes.\n").cadence("P1") == timedelta(minutes=30)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Within 48 hours of resolution:\n- Write it up\n- Share with the team",
            [("Post-incident", 172800, ("Write it up", "Share with the team"))],
        ),
        (
            "1. Update the log\n2. Hold a post-mortem (within 2 days)\n3. What went well?",
            [("Update the log", None, ()), ("Hold a post-mortem", 172800, ())],
        ),
        ("### Postmortem (within 48 hours)\n- Blameless, always\n- Template:", [("Postmortem", 172800, ())]),
        (
            "| Task | Deadline |\n|--|--|\n| Draft | 48 hours |\n| Review | 5 business days |",
            [("Draft", 172800, ()), ("Review", None, ())],
        ),
        ("- [ ] Root cause identified\n- [ ] Write the report", [("Write the report", None, ())]),
        ("- Notify the authority within 72 hours (GDPR)", []),
        ("### Review agenda\n1. Review the timeline (15 minutes)", []),
    ],
)
def test_what_is_owed_afterwards(text: str, expected: list[tuple[str, int | None, tuple[str, ...]]]) -> None:
    owed = book(f"## Post-incident\n{text}\n").post_incident
    assert [(task.what, seconds(task.within), task.items) for task in owed] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "- Restart: `systemctl restart x`\n- Clear the cache",
            [("Restart", "systemctl restart x"), ("Clear the cache", None)],
        ),
        (
            "- Goal: stop the bleeding\n- Options:\n  - Roll back (`git revert HEAD`)\n  - Fail over",
            [("Roll back", "git revert HEAD"), ("Fail over", None)],
        ),
        (
            "**Option 1: Roll back (< 5 min)**\n```bash\nkubectl rollout undo deploy/x\n```",
            [("Roll back", "kubectl rollout undo deploy/x")],
        ),
        (
            "```bash\n# Scale up if slow\nkubectl scale deploy/x --replicas=5\n```",
            [("Scale up if slow", "kubectl scale deploy/x --replicas=5")],
        ),
        (
            "| Issue | Action |\n|--|--|\n| Pods crash | `kubectl rollout restart deploy/x` |\n| Slow | Scale up |",
            [("Pods crash", "kubectl rollout restart deploy/x"), ("Scale up", None)],
        ),
        ("#### Cache\n```bash\nredis-cli flushall\n```", [("Cache", "redis-cli flushall")]),
        ("#### Database\n```bash\nSELECT 1;\n```", [("Database", None)]),
    ],
)
def test_mitigations(text: str, expected: list[tuple[str, str | None]]) -> None:
    found = book(f"## Response\n### 3. Mitigation\n{text}\n").mitigations
    assert [(mitigation.action, mitigation.command) for mitigation in found] == expected


def test_a_scenario_in_numbered_steps_is_a_procedure() -> None:
    steps = (
        book("## Common Scenarios\n### Deploy fails\n1. Read the log\n2. Undo: `git revert HEAD && git push`\n")
        .procedures[0]
        .steps
    )
    assert [(step.kind, step.command) for step in steps] == [
        (StepKind.MANUAL, ""),
        (StepKind.SHELL, "git revert HEAD && git push"),
    ]


def test_numbered_steps_of_a_process_are_no_procedure() -> None:
    assert book("## Process\n### Step 5: Resolve\n1. Fix the cause\n2. Verify the fix\n").procedures == ()


def test_sql_in_a_shell_fence_is_a_persons_and_said() -> None:
    reading = read("## Checks\n```bash\n# Locks\nSELECT * FROM pg_locks;\n```\n", file="x.md")
    (step,) = reading.runbook.procedures[0].steps
    assert (step.kind, step.title) == (StepKind.MANUAL, "Locks: SELECT * FROM pg_locks;")
    assert ("R308", 4) in {(found.code, found.line) for found in reading.findings}


def test_queries_of_a_promql_fence_are_queries() -> None:
    steps = book('## Checks\n```promql\n# Up\nup{job="a"}\n\nrate(x[5m])\n```\n').procedures[0].steps
    assert [(step.kind, step.title, step.command) for step in steps] == [
        (StepKind.PROMQL, "Up", 'up{job="a"}'),
        (StepKind.PROMQL, "Prometheus query", "rate(x[5m])"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "```\nIs it down?\n  YES → SEV1\n  NO ↓\nIs it slow?\n  YES → SEV2\n  NO → SEV3\n```",
        "```\nIs it down?\n├─ Yes → SEV1\n└─ No → Is it slow?\n   ├─ Yes → SEV2\n   └─ No → SEV3\n```",
        "- Is it down?\n  - Yes: SEV1\n  - No: Is it slow?\n    - Yes: SEV2\n    - No: SEV3",
        "| Question | Yes | No |\n|--|--|--|\n| Is it down? | SEV1 | next |\n| Is it slow? | SEV2 | SEV3 |",
        "```mermaid\nflowchart TD\n  A{Is it down?} -- Yes --> B[SEV1]\n"
        "  A -->|No| C{Is it slow?}\n  C -->|yes| D(SEV2)\n  C -->|no| E([SEV3])\n```",
    ],
)
def test_one_tree_in_many_drawings(text: str) -> None:
    tree = book(f"## Which level?\n{text}\n").decision_tree
    assert isinstance(tree, Question)
    assert isinstance(tree.no, Question)
    assert (tree.question, tree.no.question) == ("Is it down?", "Is it slow?")
    assert [getattr(leaf, "action", "") for leaf in (tree.yes, tree.no.yes, tree.no.no)] == ["SEV1", "SEV2", "SEV3"]


def test_a_flow_without_a_question_is_no_tree_and_a_ring_is_said() -> None:
    assert book("```mermaid\ngraph TD\nA[Alert] --> B[Fix]\n```\n").decision_tree is None
    ring = read("```mermaid\ngraph TD\nA{Ok?} -->|Yes| B[Done]\nA -->|No| C[Try]\nC --> A\n```\n", file="x.md")
    assert ring.runbook.decision_tree is None
    assert "R307" in {found.code for found in ring.findings}
