from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.runbook.model import Leaf, Level, Purpose, Question, Reading, StepKind
from tocsin.runbook.reader import read
from tocsin.runbook.report import as_json, as_text
from tocsin.runbook.sarif import as_sarif

LEVELS = """\
# Runbook

## Severity

| Level | Meaning | Response SLA |
|---|---|---|
| SEV-1 (Critical) | all down | Immediate |
| SEV-2 | part down | < 30 min |
"""


def reading(body: str) -> Reading:
    return read(LEVELS + "\n" + body, file="runbook.md")


def codes(result: Reading) -> list[str]:
    return [finding.code for finding in result.findings if finding.line > 1]


def at(result: Reading, code: str) -> tuple[int, int]:
    return next((f.line, f.column) for f in result.findings if f.code == code)


def test_an_empty_text_is_read_and_says_that_nothing_can_run() -> None:
    result = read("", file="empty.md")
    assert result.runbook.severities == ()
    assert [finding.code for finding in result.errors] == ["R001"]


def test_levels_are_read_under_any_common_header() -> None:
    levels = reading("").runbook.severities
    assert [(s.name, s.description, s.response, s.line) for s in levels] == [
        ("SEV-1", "all down", timedelta(0), 7),
        ("SEV-2", "part down", timedelta(minutes=30), 8),
    ]


def test_levels_may_be_headings_with_their_facts_below() -> None:
    text = "## Severity levels\n### P0 - Critical\n- **Response time**: 15 minutes\n### P1 - High (Response: 1 hour)\n"
    levels = read(text, file="x").runbook.severities
    assert [(s.name, s.response) for s in levels] == [("P0", timedelta(minutes=15)), ("P1", timedelta(hours=1))]


def test_levels_may_be_bullets() -> None:
    text = "## Severity\n- **P0 (Critical)**: everything is down. Response time: 15 minutes.\n- **P1**: slow\n"
    levels = read(text, file="x").runbook.severities
    assert [(s.name, s.response) for s in levels] == [("P0", timedelta(minutes=15)), ("P1", None)]


def test_levels_may_be_bold_paragraphs() -> None:
    text = (
        "## Severity\n**P0 - Critical**\n- down\n- Response time: Immediate (< 15 minutes)\n\n**P1 - High**\n- slow\n"
    )
    levels = read(text, file="x").runbook.severities
    assert [(s.name, s.response, s.line) for s in levels] == [("P0", timedelta(minutes=15), 2), ("P1", None, 6)]


def test_response_times_may_stand_in_a_second_list() -> None:
    text = "## Severity\n- **P0**: down\n- **P1**: slow\n### Response Time Targets\n- **P0**: 5 minutes\n- P1: 1 hour\n"
    levels = read(text, file="x").runbook.severities
    assert [(s.response, s.response_text) for s in levels] == [
        (timedelta(minutes=5), "5 minutes"),
        (timedelta(hours=1), "1 hour"),
    ]


def test_calendar_wording_is_kept_as_text_and_said() -> None:
    result = read(LEVELS + "| SEV-3 | dull | next business day |\n", file="x")
    assert result.runbook.severities[2].response is None
    assert result.runbook.severities[2].response_text == "next business day"
    assert at(result, "R002") == (9, 18)


def test_a_level_defined_twice_keeps_the_first_and_says_so() -> None:
    result = read(LEVELS + "| SEV 1 | other | 1 hour |\n", file="x")
    assert len(result.runbook.severities) == 2
    assert at(result, "R003")[0] == 9


def test_a_table_that_only_uses_levels_defines_none() -> None:
    text = "## Vendors\n\n| Severity | Response Time |\n|---|---|\n| P1 | 1 hour |\n| P2 | 2 hours |\n"
    assert read(text, file="x").runbook.severities == ()


def test_the_matrix_has_a_rung_for_each_named_cell() -> None:
    result = reading("## Escalation\n\n| Sev | 15 min | After 1 hour |\n|---|---|---|\n| SEV-1/2 | On-call | - |\n")
    assert [(r.severity, r.after, r.to) for r in result.runbook.escalation] == [
        ("SEV-1", timedelta(minutes=15), "On-call"),
        ("SEV-2", timedelta(minutes=15), "On-call"),
    ]


def test_a_matrix_may_have_times_as_rows() -> None:
    table = (
        "| Time | SEV-1 | SEV-2 |\n|---|---|---|\n| T+0 | Page on-call | - |\n| T+30m | Page lead | Page on-call |\n"
    )
    result = reading("## Escalation\n\n" + table)
    assert [(r.severity, r.after, r.to, r.line) for r in result.runbook.escalation] == [
        ("SEV-1", timedelta(0), "Page on-call", 14),
        ("SEV-1", timedelta(minutes=30), "Page lead", 15),
        ("SEV-2", timedelta(minutes=30), "Page on-call", 15),
    ]


def test_a_matrix_may_have_roles_as_rows() -> None:
    table = "| Role | SEV-1 | SEV-2 |\n|---|---|---|\n| On-call | Immediate | 1hr |\n| Lead | 15min | Next day |\n"
    result = reading("## Escalation\n\n" + table)
    assert [(r.severity, r.after, r.to) for r in result.runbook.escalation] == [
        ("SEV-1", timedelta(0), "On-call"),
        ("SEV-2", timedelta(hours=1), "On-call"),
        ("SEV-1", timedelta(minutes=15), "Lead"),
        ("SEV-2", None, "Lead"),
    ]
    assert at(result, "R102") == (15, 18)


def test_a_table_of_who_may_do_what_is_no_matrix() -> None:
    table = "| Permission | SEV-1 | SEV-2 |\n|---|---|---|\n| Roll back | yes | no |\n"
    assert reading("## Escalation\n\n" + table).runbook.escalation == ()


def test_a_severity_in_the_matrix_that_is_not_defined_is_said() -> None:
    result = reading("## Escalation\n\n| Sev | 15 min | 1 hour |\n|---|---|---|\n| SEV-9 | On-call | CTO |\n")
    assert at(result, "R004") == (14, 3)


def test_a_column_without_a_time_is_said_and_pages_nobody() -> None:
    result = reading("## Escalation\n\n| Sev | 15 min | Later |\n|---|---|---|\n| SEV-1 | On-call | CTO |\n")
    assert [rung.to for rung in result.runbook.escalation] == ["On-call"]
    assert at(result, "R102") == (12, 18)


def test_a_range_of_levels_shares_a_cadence() -> None:
    result = reading("## Communication\n\n- Every 15-30 minutes: SEV-1 to SEV-2\n- Daily summary\n")
    assert [(c.severity, c.every) for c in result.runbook.update_cadence] == [
        ("SEV-1", timedelta(minutes=30)),
        ("SEV-2", timedelta(minutes=30)),
    ]


def test_each_level_may_carry_its_interval_in_parentheses() -> None:
    result = reading("## Communication\n\n- **Updates**: SEV-1 (15min), SEV-2 (daily)\n")
    assert [(c.severity, c.every) for c in result.runbook.update_cadence] == [
        ("SEV-1", timedelta(minutes=15)),
        ("SEV-2", timedelta(days=1)),
    ]


def test_two_intervals_in_one_sentence_are_not_divided_by_guess() -> None:
    assert reading("## Communication\n\n- Every 15 min, later hourly: SEV-1\n").runbook.update_cadence == ()


def test_the_table_of_levels_may_say_how_often_to_update() -> None:
    table = "| Sev | Meaning | Update Frequency |\n|---|---|---|\n| SEV1 | a | Every hour |\n| SEV2 | b | 4 hours |\n"
    assert [c.every for c in read(table, file="x").runbook.update_cadence] == [timedelta(hours=1), timedelta(hours=4)]


def test_a_promise_inside_a_template_is_no_cadence() -> None:
    result = reading("## Communication templates\n\n**Update:**\n```\nSEV-1: we update every 30 minutes\n```\n")
    assert result.runbook.update_cadence == ()
    assert [t.name for t in result.runbook.templates] == ["Update"]


def test_the_blanks_of_a_template_are_its_fields_each_once() -> None:
    result = reading("## Templates\n\n### Start\n\n```\n[what] {who} <link> [what] SEV[1-4] :x:\n```\n")
    assert result.runbook.templates[0].fields == ("what", "who", "link", "1-4")


def test_a_cut_command_is_an_error_and_no_stump_is_kept() -> None:
    table = "| Action | When | Command |\n|---|---|---|\n| Clean | full | `kubectl get pods | xargs rm` |\n"
    result = reading("## Mitigation\n\n" + table)
    assert result.runbook.mitigations[0].command is None
    assert at(result, "R012") == (14, 36)


def test_an_escaped_pipe_belongs_to_the_command() -> None:
    table = "| Action | When | Command |\n|---|---|---|\n| Look | full | `kubectl get pods \\| head -3` |\n"
    result = reading("## Mitigation\n\n" + table)
    assert result.runbook.mitigations[0].command == "kubectl get pods | head -3"
    assert "R012" not in codes(result)


def test_a_table_that_is_none_is_an_error() -> None:
    result = reading("## Mitigation\n\n| Action | When | Command |\n|---|---|\n| a | b | c |\n")
    assert at(result, "R010") == (12, 1)


def test_an_open_fence_is_said() -> None:
    assert at(reading("## Commands\n\n```bash\nls\n"), "R013") == (12, 1)


def test_a_mitigation_points_to_the_document_whose_title_it_names() -> None:
    table = "## Mitigation\n\n| Action | When | Command |\n|---|---|---|\n| Failover | gone | See Disaster Recovery |\n"
    linked = reading(table + "\n[Disaster Recovery](./dr.md)\n")
    unlinked = reading(table + "\n[Recovery](./dr.md)\n")
    assert linked.runbook.mitigations[0].see == "./dr.md"
    assert unlinked.runbook.mitigations[0].see == "Disaster Recovery"
    assert ("R304" in codes(linked), "R305" in codes(unlinked)) == (True, True)


def test_procedures_of_the_same_name_have_different_slugs() -> None:
    fence = "```bash\nls\n```\n"
    result = reading(f"## A\n### Restart\n{fence}## B\n### Restart\n{fence}")
    assert [(p.slug, p.section) for p in result.runbook.procedures] == [("restart", "A"), ("restart-2", "B")]


def test_the_headings_tell_what_a_procedure_is_for() -> None:
    fence = "```bash\nls\n```\n"
    headings = ("Triage", "Investigation", "Verification", "Quick Reference", "Deploy")
    result = reading("".join(f"## {heading}\n{fence}" for heading in headings))
    assert [p.purpose for p in result.runbook.procedures] == list(Purpose)


def test_the_parts_of_a_scenario_are_one_procedure() -> None:
    fence = "```bash\nls\n```\n"
    result = reading(f"## Playbooks\n### Disk full\n#### Diagnosis\n{fence}#### Resolution\n{fence}")
    assert [(p.title, len(p.steps), p.line) for p in result.runbook.procedures] == [("Disk full", 2, 11)]


def test_numbered_phases_of_a_process_stay_procedures_of_their_own() -> None:
    fence = "```bash\nls\n```\n"
    result = reading(f"## Response Playbook\n### 1. Triage\n{fence}### 2. Mitigation\n{fence}")
    assert [p.slug for p in result.runbook.procedures] == ["triage", "mitigation"]


def test_a_fence_that_relies_on_anothers_export_is_said_once() -> None:
    assess = "## Assessment\n```bash\nexport KUBECONFIG=~/.kube/p\nkubectl get pods\n```\n"
    result = reading(assess + "## Investigation\n```bash\n# a\nkubectl get pods\n\n# b\nkubectl get nodes\n```\n")
    assert result.runbook.environment == ("export KUBECONFIG=~/.kube/p",)
    assert [f.line for f in result.findings if f.code == "R302"] == [18]
    assert [s.needs_environment for s in result.runbook.procedures[1].steps] == [True, True]


def test_a_fence_with_its_own_export_is_not_said() -> None:
    fence = "```bash\nexport KUBECONFIG=~/.kube/p\nkubectl get pods\n```\n"
    assert "R302" not in codes(reading(f"## Assessment\n{fence}## Investigation\n{fence}"))


def test_a_change_that_would_run_by_itself_is_said() -> None:
    result = reading("## Verification\n```bash\nkubectl get pods\nkubectl delete pod x\n```\n")
    assert at(result, "R303") == (12, 1)
    assert "R303" not in codes(reading("## Investigation\n```bash\nkubectl delete pod x\n```\n"))


def test_a_query_in_a_comment_is_a_promql_step() -> None:
    result = reading("## Investigation\n```bash\n# Errors\n# PromQL: up == 0\n```\n")
    assert [(s.kind, s.command) for s in result.runbook.procedures[0].steps] == [(StepKind.PROMQL, "up == 0")]


TREE = """\
## Decision tree

```
Recent deployment?
├── Yes → Rollback
│         kubectl rollout undo deployment/a
└── No → Out of memory?
         ├── Yes: `kubectl rollout restart deployment/a`
         └── No → Escalate to the team lead
```
"""


def test_a_drawn_tree_is_walked() -> None:
    root = reading(TREE).runbook.decision_tree
    assert isinstance(root, Question)
    assert isinstance(root.yes, Leaf)
    assert (root.yes.action, root.yes.command) == ("Rollback", "kubectl rollout undo deployment/a")
    assert isinstance(root.no, Question)
    assert (root.no.question, root.no.line) == ("Out of memory?", 16)
    assert isinstance(root.no.no, Leaf)
    assert root.no.no.escalate


def test_leaves_without_a_row_in_the_table_become_actions() -> None:
    runbook = reading(TREE).runbook
    assert [m.slug for m in runbook.leaf_actions] == ["rollback", "kubectl-rollout-restart-deployment-a"]


def test_a_leaf_with_a_rows_command_is_that_mitigation() -> None:
    table = "| Action | When | Command |\n|---|---|---|\n| Go back | bad | `kubectl rollout undo deployment/a` |\n\n"
    root = reading("## Mitigation\n\n" + table + TREE).runbook.decision_tree
    assert isinstance(root, Question)
    assert isinstance(root.yes, Leaf)
    assert root.yes.mitigation == "go-back"


def test_a_tree_may_be_nested_bullets() -> None:
    bullets = "- Recent deployment?\n  - Yes → roll back\n  - No → Disk full?\n    - Yes → clean\n    - No → Escalate\n"
    root = reading("## Decision tree\n\n" + bullets).runbook.decision_tree
    assert isinstance(root, Question)
    assert isinstance(root.no, Question)
    assert (root.no.question, root.no.line) == ("Disk full?", 14)


def test_a_tree_that_lacks_a_branch_is_not_read_at_all() -> None:
    result = reading("## Decision tree\n\n```\nBad?\n├── Yes → A\n└── Maybe → B\n├── Yes → C\n```\n")
    assert result.runbook.decision_tree is None
    assert at(result, "R307")[0] == 16


def test_boxes_inside_a_fence_are_no_checklist() -> None:
    result = reading("## Verification\n\n```\n- [ ] form\n```\n\n**Before closing:**\n- [ ] real\n")
    assert [(c.title, c.items, c.purpose) for c in result.runbook.checklists] == [
        ("Before closing", ("real",), "verification")
    ]


def test_a_deadline_may_stand_in_a_heading_a_label_or_a_task() -> None:
    body = "## Post-incident\n### Now (within 24 hours)\n- a\n### Later\n**Within 1 week:**\n- b\n\n### Tasks\n"
    result = reading(body + "- Hold a review within 5 days\n- Write it up within 5 business days\n")
    assert [(p.what, p.within, p.items) for p in result.runbook.post_incident] == [
        ("Now", timedelta(days=1), ("a",)),
        ("Within 1 week", timedelta(weeks=1), ("b",)),
        ("Hold a review within 5 days", timedelta(days=5), ()),
        ("Write it up within 5 business days", None, ()),
    ]


def test_a_table_may_give_each_task_its_deadline() -> None:
    table = (
        "| Task | Owner | Deadline |\n|---|---|---|\n| Write it up | IC | 24 hours |\n| Review | EM | next sprint |\n"
    )
    result = reading("## Post-incident\n\n" + table)
    assert [(p.what, p.within, p.line) for p in result.runbook.post_incident] == [
        ("Write it up", timedelta(days=1), 14),
        ("Review", None, 15),
    ]


def test_how_long_a_point_of_the_agenda_takes_is_no_deadline() -> None:
    result = reading("## Post-mortem\n- Timeline review (15 minutes)\n- Send the report (48 hours)\n")
    assert [(p.what, p.within) for p in result.runbook.post_incident] == [("Send the report", timedelta(days=2))]


def test_links_in_code_are_no_links() -> None:
    result = reading("[a](./a.md) `[b](./b.md)`\n\n```\n[c](./c.md)\n```\n\n[d][ref]\n\n[ref]: ./d.md\n")
    assert [(link.text, link.target) for link in result.runbook.links] == [("a", "./a.md"), ("d", "./d.md")]


def test_a_missing_part_is_named_with_the_default_that_holds() -> None:
    missing = {finding.code: finding.hint for finding in reading("").findings if finding.line == 1}
    assert {"R101", "R201", "R202", "R301", "R401", "R402"} <= set(missing)
    assert all("Built-in default" in hint for hint in missing.values())


MARKDOWN = st.lists(
    st.sampled_from(
        [
            "# Severity", "## Escalation", "### Communication", "## Post-incident (within 1 day)", "## Decision tree",
            "| Severity | Response Time |", "|---|---|", "| SEV1 | Immediate |", "| P0 | `a | b` |",
            "| Sev | 15 min | 1 h |",
            "```", "```bash", "~~~", "Is it?", "├── Yes → kubectl get x", "└── No → Is it not?",
            "│   kubectl delete <pod>",
            "- [ ] a", "  - [x] b", "- Every 30 min: SEV1", "1. x", "> q", "**SEV1 Indicators:**", "**Update:**", "",
            "export KUBECONFIG=1", "# c", "kubectl get pods \\", "cat <<EOF", "[a](b)", "\t- t", "- - -",
            "<!--", "    code",
        ]
    ),
    max_size=30,
)  # fmt: skip


@given(MARKDOWN)
@settings(max_examples=150, deadline=None)
def test_any_mixture_of_lines_is_read_and_shown(lines: list[str]) -> None:
    text = "\n".join(lines)
    result = read(text, file="x.md")
    assert as_json(result)["file"] == "x.md"
    assert as_text(result, text.split("\n"))
    assert as_sarif([result])
    assert all(1 <= finding.line <= len(lines) + 1 and finding.column >= 1 for finding in result.findings)


@given(st.text(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_text_is_read(text: str) -> None:
    assert isinstance(read(text, file="x"), Reading)


def test_a_hostile_depth_does_not_exhaust_the_stack() -> None:
    branches = "\n".join(" " * n + "Yes → deeper?" for n in range(5000))
    result = reading(f"## Decision tree\n\n```\nDeep?\n{branches}\n```\n" + "> " * 5000 + "\n" + "- " * 5000)
    assert result.runbook.decision_tree is None


def test_control_characters_never_reach_the_terminal() -> None:
    text = LEVELS + "## A \x1b[31m\n\n```bash\nls \x1b]0;x\x07\n"
    assert "\x1b" not in as_text(read(text, file="x"), text.split("\n"))


def test_findings_come_in_line_order() -> None:
    lines = [finding.line for finding in reading("## Verification\n```bash\nrm -rf /x\n").findings]
    assert lines == sorted(lines)
    assert Level.ERROR not in {finding.level for finding in reading("").findings}


def test_what_stands_under_a_heading_command_is_one_whatever_its_program_is_called() -> None:
    rows = ("`./rollback.sh`", "`sleep 20 && touch on`", "see `recovery.md`", "-")
    table = "".join(f"| Action {n} | x | {cell} |\n" for n, cell in enumerate(rows))
    found = read(f"# R\n\n## Mitigation\n\n| Action | When to use | Command |\n|---|---|---|\n{table}", file="r.md")
    assert [m.command for m in found.runbook.mitigations] == ["./rollback.sh", "sleep 20 && touch on", None, None]
