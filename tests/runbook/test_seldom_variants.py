"""The ways of writing that are met less often: one small document of our own wording for each."""

from datetime import timedelta

import pytest

from tocsin.runbook.mending import mend
from tocsin.runbook.model import Leaf, Question, Runbook
from tocsin.runbook.reader import read

LEVELS = "## Severity\n| Level | Description |\n|--|--|\n| P1 - Critical | a |\n| P2 - High | b |\n| P3 | c |\n\n"


def book(text: str) -> Runbook:
    return read(text, file="runbook.md").runbook


def seconds(time: timedelta | None) -> int | None:
    return None if time is None else int(time.total_seconds())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "## Escalation Matrix\n| Severity | Response Time | Contact |\n|--|--|--|\n"
            "| High | 5 min | Ops |\n| Low | Next business day | Desk |",
            [("High", 300), ("Low", None)],
        ),
        ("## Lead\n**Expected Response Times:**\n- P1: < 5 min\n- P2: 1 hour", [("P1", 300), ("P2", 3600)]),
        ("# Guide\nSeverity levels\n- SEV-1: all down\n- SEV-2: slow", [("SEV-1", None), ("SEV-2", None)]),
        ("## Steps\n1. Set the severity.\n   - **S1**: all down\n   - **S2**: slow", [("S1", None), ("S2", None)]),
        (
            "# Sorting calls\n## Priority 1 (P1)\n### Description\nx\n## Priority 2 (P2)\n### Description\ny",
            [("Priority 1", None), ("Priority 2", None)],
        ),
        (
            "## Escalation\n- **P1 (Disaster)**: always\n  - T+5m: Acknowledge\n"
            "- **P2 (Major)**\n  - T+20m: Acknowledge",
            [("P1", 300), ("P2", 1200)],
        ),
        (
            "P1 incidents must be answered within 15 minutes. P2 incidents are acknowledged within 2 hours.",
            [("P1", 900), ("P2", 7200)],
        ),
        (
            "## Pager\n- Severity 1: page all, target ack < 5 min\n- Severity 2: mail only, ack < 1h",
            [("Severity 1", 300), ("Severity 2", 3600)],
        ),
        (
            "## Severity\n### P1 (Immediate Response)\n**Response:** All hands\n"
            "### P2 (< 1 hour response)\n**Response:** One",
            [("P1", 0), ("P2", 3600)],
        ),
        (
            "| Severity | Response Time |\n|--|--|\n| P1 | 15 min (page) |\n| P2 | 4 hours (business hours) |",
            [("P1", 900), ("P2", None)],
        ),
        ("## Priorities and SLAs\n- P0: immediate (24/7)\n- P1: same business day", [("P0", 0), ("P1", None)]),
        (
            "## Severity levels\n### Level 1 (Critical)\n**Response Time:**\n- Immediate (within 5 minutes)\n"
            "### Level 2 (High)\n**Response Time:**\n- Within 30 minutes",
            [("Level 1", 300), ("Level 2", 1800)],
        ),
        ("## Severity matrix (examples)\n- P1: all down\n- P2: slow", [("P1", None), ("P2", None)]),
        ("## Levels\n- `P1`: outage. Immediate response required.\n- `P2`: slow.", [("P1", 0), ("P2", None)]),
    ],
)
def test_levels_are_found_where_no_table_defines_them(text: str, expected: list[tuple[str, int | None]]) -> None:
    assert [(s.name, seconds(s.response)) for s in book(text).severities] == expected


@pytest.mark.parametrize(
    "text",
    [
        "P1 postmortem reports must be acknowledged within 2 days. P2 reports within 3 days.",
        "P1 issues are resolved within 4 hours. P2 issues are resolved within 2 days.",
        "## P1: Queue stuck\nRestart it.\n## P1: Cache cold\nWarm it.",
    ],
)
def test_what_only_mentions_a_level_defines_none(text: str) -> None:
    assert book(text).severities == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "## Escalation\n1. Page L1 at once for P1 alerts.\n2. Escalate to L2 if unresolved in 15 minutes.\n"
            "3. Write down each escalation.",
            [("P1", 0, "L1"), (None, 900, "L2")],
        ),
        (
            "## P1 Escalation\n1. Primary on-call has 5 min to acknowledge.\n2. If nobody answers after 15 minutes:\n"
            "   - The alert escalates to secondary on-call.\n   - The channel is told.\n"
            "3. If nobody answers after 1 hour:\n   - Duty manager is paged.",
            [("P1", 0, "Primary on-call"), ("P1", 900, "secondary on-call"), ("P1", 3600, "Duty manager")],
        ),
        (
            "## Escalation\n- **P1 (Disaster)**: always\n  - T+0: Auto page NOC\n  - T+10m: Acknowledge\n"
            "  - T+15m: Escalate to Ops Manager",
            [("P1", 0, "NOC"), ("P1", 900, "Ops Manager")],
        ),
        (
            "## Escalation\n### P2 Timeline\n| Time | Action | Who |\n|--|--|--|\n"
            "| 15 min | No answer → page the lead | Bot |\n| 1 hour | Tell the duty manager | Lead |\n"
            "| 2 hours | Raise the severity | Lead |",
            [("P2", 900, "lead"), ("P2", 3600, "duty manager")],
        ),
        (
            "## Escalation\n| Condition | Action | Who to Notify |\n|--|--|--|\n"
            "| P2 > 30 min | Escalate to leadership | Engineering manager |",
            [("P2", 1800, "Engineering manager")],
        ),
        (
            "## Escalation\n| Time | Action |\n|--|--|\n| 0 min | On-call engineer paged |\n"
            "| 1 hour | CTO notified (P1) |",
            [(None, 0, "On-call engineer"), ("P1", 3600, "CTO")],
        ),
        (
            "| Severity | First Responders | Escalate To | Timeframe |\n|--|--|--|--|\n"
            "| P1 | Duty engineer | Ada (Payments) | 30 minutes |\n| P2 | Owner | Team lead | Next business day |",
            [
                ("P1", 0, "Duty engineer"),
                ("P1", 1800, "Ada (Payments)"),
                ("P2", 0, "Owner"),
                ("P2", None, "Team lead"),
            ],
        ),
        (
            "### P1\n- **Auto-escalation**: If not acknowledged in 15 minutes, escalate to the Director",
            [("P1", 900, "Director")],
        ),
        (
            "## Calls\n- P1/P2: Escalate to management within 20 minutes",
            [("P1", 1200, "management"), ("P2", 1200, "management")],
        ),
        (
            "## On-call\n**Escalation:**\n1. **Primary**: Duty engineer (0-15 min response)\n"
            "2. **Secondary**: Second engineer (15-30 min response)\n3. **Executive**: Director (30+ min response)",
            [(None, 0, "Duty engineer"), (None, 900, "Second engineer"), (None, 1800, "Director")],
        ),
        (
            "**On-Call Phone Tree**:\n1. Pager → On-call primary\n2. If no response in 5 min → Backup on-call",
            [(None, 0, "Pager → On-call primary"), (None, 300, "Backup on-call")],
        ),
        (
            "## Escalation\n1. On-call answers.\n"
            "2. If not mitigated in 15 minutes (`P1`) or 60 minutes (`P2`), escalate to SRE Lead.",
            [(None, 0, "On-call"), ("P1", 900, "SRE Lead"), ("P2", 3600, "SRE Lead")],
        ),
        (
            "## Escalation\n1. Primary → Secondary → EM → Director\n2. Triage starts in the support channel.",
            [(None, None, "Primary"), (None, None, "Secondary"), (None, None, "EM"), (None, None, "Director")],
        ),
        (
            "## Escalation\n1. P1 or security incidents escalate immediately to on-call.",
            [("P1", 0, "on-call")],
        ),
        (
            "## Escalation\n| Level | Who | When |\n|--|--|--|\n| L1 | Duty engineer | First responder for P1 |\n"
            "| L2 | Team lead | Not solved within 30 minutes, or for any P2 alert |",
            [("P1", 0, "Duty engineer"), (None, 1800, "Team lead")],
        ),
    ],
)
def test_escalation_is_read_in_these_words_too(text: str, expected: list[tuple[str | None, int | None, str]]) -> None:
    found = [(r.severity, seconds(r.after), r.to) for r in book(LEVELS + text).escalation]
    assert found == expected


def test_a_task_that_names_a_role_pages_nobody() -> None:
    rungs = book("## Escalation\n1. Create a ticket and assign to on-call\n2. After 2 hours, page the lead").escalation
    assert [(rung.to, seconds(rung.after)) for rung in rungs] == [("lead", 7200)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("## Updates\n- P1: Update within 5 min, every 15 minutes thereafter", [("P1", 900)]),
        ("## Updates\n- P3: Updates every 24 hours or as needed", [("P3", 86400)]),
        (
            "## Cadence\n| Audience | Cadence |\n|--|--|\n| Leads | Hourly during P1, on close for P2 and P3 |",
            [("P1", 3600)],
        ),
        ("## Updates\n- P1, P2: hourly", [("P1", 3600), ("P2", 3600)]),
        (
            "### P1\n- **Communication cadence**: Every 15 minutes until mitigated\n### P2\n- **Updates**: Daily",
            [("P1", 900), ("P2", 86400)],
        ),
        ("## Steps\n1. Tell people on a fixed cadence:\n   - **P1**: Every 20 minutes.\n   - **P2**: Hourly.", []),
        (
            "## Phase 3: Communicate\n1. Keep people told:\n   - **P1**: Every 20 minutes.\n   - **P2**: Hourly.",
            [("P1", 1200), ("P2", 3600)],
        ),
        ("## Steps\n1. Take command.\n2. Post to the channel; update every 15-30 minutes.", [(None, 1800)]),
    ],
)
def test_cadence_is_read_in_these_words_too(text: str, expected: list[tuple[str | None, int]]) -> None:
    assert [(c.severity, seconds(c.every)) for c in book(LEVELS + text).update_cadence] == expected


def test_paragraphs_with_blanks_below_a_promise_of_templates_are_messages() -> None:
    text = (
        "# Message Templates\n## First word\n**Subject:** Trouble\n\nWe look into <service>.\n\n"
        "## Note\nNo blanks.\n\nHere."
    )
    assert [(t.name, t.fields) for t in book(text).templates] == [("First word", ("service",))]


def test_contact_sheets_are_no_messages() -> None:
    assert book("## Contact Templates\n### Rota\n```markdown\n**Primary:**\n- Ada\n```").templates == ()


def test_a_message_below_a_step_that_tells_people_is_a_template() -> None:
    text = "## Response\n1. **Assemble the team**\n\n   ```\n   Issue: {what}\n   Lead: {name}\n   ```\n2. **Fix it**"
    assert [t.name for t in book(text).templates] == ["Assemble the team"]


def test_a_label_such_as_body_names_no_message() -> None:
    assert [t.name for t in book("## Customer template\n**Body:**\n\n```\nDear {name}\n```").templates] == [
        "Customer template"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("### P1\n- Post-mortem required within 48 hours", [("Post-mortem required within 48 hours", 172800)]),
        (
            "## After the incident\n1. Review\n   - Schedule within 2 days\n   - Bring tea",
            [("Schedule within 2 days", 172800)],
        ),
        (
            "## Steps\n**Step 6: Post-Incident Review**\n\nWithin 24-48 hours, create the document:\n",
            [("Within 24-48 hours, create the document", 172800)],
        ),
        ("## Aftermath\n- File tickets within 24h", [("File tickets within 24h", 86400)]),
        ("## Flujo\n1. Mitiga.\n2. Postmortem en 48h con acciones.", [("Postmortem en 48h con acciones.", 172800)]),
    ],
)
def test_deadlines_after_an_incident_are_read_in_these_words_too(text: str, expected: list[tuple[str, int]]) -> None:
    assert [(p.what, seconds(p.within)) for p in book(text).post_incident] == expected


def test_the_outline_of_a_report_is_no_list_of_tasks() -> None:
    text = "## Postmortem\nUse this template:\n- Summary\n- Follow-up owners\n"
    assert book(text).post_incident == ()


def test_options_below_a_label_are_mitigations_each() -> None:
    text = (
        "## Mitigation\n**Quick Wins (try first):**\n"
        "1. **Scale up**:\n   ```bash\n   kubectl scale deploy/a --replicas=9\n   ```\n"
        "2. **Clear cache**:\n   ```bash\n   redis-cli FLUSHALL\n   ```\n"
    )
    assert [(m.action, m.command) for m in book(text).mitigations] == [
        ("Scale up", "kubectl scale deploy/a --replicas=9"),
        ("Clear cache", "redis-cli FLUSHALL"),
    ]


def test_numbered_options_below_a_resolution_are_mitigations() -> None:
    text = (
        "## Resolution\n### At once\n**Option 1: Scale out** (spreads the load)\n\n"
        "```bash\nkubectl scale deploy/a --replicas=9\n```\n"
    )
    assert [m.action for m in book(text).mitigations] == ["Scale out"]


def test_a_part_of_a_numbered_runbook_belongs_to_it() -> None:
    text = (
        "# Runbooks\n## RB-06: Disk full\n### Immediate mitigation\n```bash\ndf -h .\n```\n"
        "### Free space\n```bash\ndu -sh .\n```\n"
    )
    assert [p.title for p in book(text).procedures] == ["RB-06: Disk full", "Free space"]


def tree(node: Question | Leaf | None) -> object:
    """The tree as nested (question, yes, no), its leaves as what to do."""
    return (node.question, tree(node.yes), tree(node.no)) if isinstance(node, Question) else node and node.action


UP_AND_SLOW = ("Is it up?", ("Is it slow?", "Scale out", "Keep looking"), "Restart it")


@pytest.mark.parametrize(
    "drawing",
    [
        "```\nIs it up?\n├── YES\n│   └── Is it slow?\n│       ├── YES\n│       │   └── Scale out\n"
        "│       └── NO → Keep looking\n└── NO\n    └── Restart it\n```",
        "```\nIs it up?\n+-- Yes: Is it slow?\n|   +-- Yes: Scale out\n"
        "|   +-- No: Keep looking\n+-- No: Restart it\n```",
        "```\nIs it up?\n |-- yes --> Is it slow?\n |             |-- yes --> Scale out\n"
        " |             `-- no  --> Keep looking\n `-- no --> Restart it\n```",
        "```\n[Is it up?]\n  ├─[YES]─> [Is it slow?]\n  │           ├─[YES]─> [Scale out]\n"
        "  │           └─[NO]──> [Keep looking]\n  └─[NO]──> [Restart it]\n```",
        "```\nIs it up?\n├─ ✅ Yes → Is it slow?\n│  ├─ ✅ Yes → Scale out\n"
        "│  └─ ❌ No → Keep looking\n└─ ❌ No → Restart it\n```",
        "- Is it up?\n  - If yes: Is it slow?\n    - If yes, Scale out\n"
        "    - If no, Keep looking\n  - If no: Restart it",
        "1. **Is it up?**\n   - **Yes** → go to step 2\n   - **No** → Restart it\n2. **Is it slow?**\n"
        "   - **Yes** → Scale out\n   - **No** → Keep looking",
        "```\nQ1: Is it up?\n  YES -> Q2\n  NO -> Restart it\n"
        "Q2: Is it slow?\n  YES -> Scale out\n  NO -> Keep looking\n```",
        "```\nAlert fires\n    ↓\nIs it up?\n├── Yes → Continue\n└── No → Restart it\n    ↓\nIs it slow?\n"
        "├── Yes → Scale out\n"
        "└── No → Continue\n    ↓\nKeep looking\n```",
    ],
)
def test_trees_drawn_in_other_ways_are_the_same_tree(drawing: str) -> None:
    assert tree(book(f"## Decision tree\n\n{drawing}\n").decision_tree) == UP_AND_SLOW


@pytest.mark.parametrize(
    "drawing",
    [
        "```\nWhich part fails?\n├── API → Restart it\n└── Queue → Drain it\n```",
        "```\nIs it up?\n├── Yes → Go to step 1\n└── No → Restart it\nIs it slow?\n├── Yes → Scale\n└── No → Look\n```",
        "```\nIs it up?\n├── Yes → Look\n└── No → Restart it\nAnother thing\n├── Yes → Scale\n└── No → Look\n```",
        "```\nIs it up?\n├── Yes\n└── No → Restart it\n```",
    ],
)
def test_a_drawing_that_is_no_tree_of_yes_and_no_is_said_and_not_read(drawing: str) -> None:
    reading = read(f"## Decision tree\n\n{drawing}\n", file="runbook.md")
    assert reading.runbook.decision_tree is None
    assert "R307" in {finding.code for finding in reading.findings}


def test_messages_in_one_fence_are_told_apart_by_their_names() -> None:
    text = "## Templates\n```\n**First word:**\nAbout [what].\n---\n**Over:**\n[what] is over.\n```\n"
    assert [(t.name, t.body, t.line) for t in book(text).templates] == [
        ("First word", "About [what].", 3),
        ("Over", "[what] is over.", 6),
    ]


def test_a_rule_within_one_message_cuts_nothing() -> None:
    assert [t.name for t in book("## Templates\n### Mail\n```\nDear [who],\n---\nYours, Ops\n```\n").templates] == [
        "Mail"
    ]


def said(text: str, code: str) -> list[int]:
    """The lines of the findings of that kind."""
    return [found.line for found in read(text, file="runbook.md").findings if found.code == code]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            LEVELS + "### Response Times\n- P1: 5 min\n- P2: 1 hour\n\n"
            "## SLA\n| Level | Response SLA |\n|--|--|\n| P1 | 10 min |",
            [15],
        ),
        (LEVELS + "### Response Times\n- P1: 5 min\n\n## SLA\n| Level | Response SLA |\n|--|--|\n| P1 | 300 s |", []),
        (
            "## Severity\n| Level | Response Time |\n|--|--|\n| P1 | 5 min |\n| P2 | 1 h |\n"
            "## Escalation\n| Level | Initial Response | L2 |\n|--|--|--|\n| P1 | Immediate | 1 hour |",
            [9],
        ),
        (
            "## Escalation\n1. Team lead (15 min)\n2. CTO (1 hour)\n"
            "### Escalation ladder\n1. Lead (5 min)\n2. CTO (2 hours)",
            [6],
        ),
        (LEVELS + "## Updates\n- P1: every 15 min\n\n## Status updates\n- P1: hourly", [12]),
        (LEVELS + "## Updates\n| Level | Frequency |\n|--|--|\n| P1 | 15 min |\n| P1 | 1 hour |", []),
    ],
)
def test_what_is_said_twice_and_differently_is_told_at_the_second_place(text: str, lines: list[int]) -> None:
    assert said(text, "R006") == lines


def test_a_matrix_of_impact_and_urgency_is_told_and_not_followed() -> None:
    matrix = "## Priority\n| Impact | High urgency | Low urgency |\n|--|--|--|\n| All | P1 | P2 |\n| One | P2 | P3 |\n"
    assert said(matrix, "R007") == [2]
    assert said(LEVELS, "R007") == []


def test_an_escaped_fence_is_told_and_mended() -> None:
    text = "## Checks\n\\`\\`\\`bash\nkubectl get pods\n\\`\\`\\`\n"
    assert said(text, "R014") == [2]
    assert mend(text, file="runbook.md").text == "## Checks\n```bash\nkubectl get pods\n```\n"


def test_points_that_each_hold_a_command_or_a_query_are_steps() -> None:
    text = "## Diagnostics\n- Pods: `kubectl get pods -n x`\n- Errors: `sum(rate(http_requests_total[5m]))`\n"
    (procedure,) = book(text).procedures
    assert [(step.kind.value, step.command) for step in procedure.steps] == [
        ("shell", "kubectl get pods -n x"),
        ("promql", "sum(rate(http_requests_total[5m]))"),
    ]


def test_points_among_words_are_no_procedure() -> None:
    assert book("## Notes\n- Use `kubectl get pods`\n- Or `git log`\n- Be calm\n").procedures == ()
