"""What the postmortem says, and that it says only what was recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from tocsin.incident import events as e
from tocsin.incident.fold import fold
from tocsin.review.document import Bullets, Paragraphs, Postmortem, Table
from tocsin.review.postmortem import DEFAULT_SECTIONS, as_json, as_markdown, postmortem
from tocsin.runbook.model import PostmortemOutline, Runbook

T0 = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
Story = tuple[e.Entry, ...]
Tell = Callable[..., Story]


def written(story: Story, runbook: Runbook, now: datetime | None = None) -> Postmortem:
    return postmortem(fold("i-1", 1, story), story, runbook, now=now)


def section(document: Postmortem, title: str) -> str:
    """The section's words, cells apart by ` | `."""
    lines: list[str] = []
    for block in next(s for s in document.sections if s.title == title).blocks:
        if isinstance(block, Table):
            lines += [" | ".join(row) for row in block.rows]
        elif isinstance(block, Bullets):
            lines += block.items
        else:
            lines.append(block.text)
    return "\n".join(lines)


def missing(document: Postmortem) -> list[str]:
    blocks = [b for s in document.sections for b in s.blocks]
    return [b.text for b in blocks if isinstance(b, Paragraphs) and b.missing]


def test_the_runbooks_sections_come_first_in_its_order(story: Story, runbook: Runbook) -> None:
    titles = [s.title for s in written(story, runbook).sections]
    assert tuple(titles[:6]) == DEFAULT_SECTIONS
    assert titles[6:] == ["What was tried", "Decision path", "Evidence that mattered", "Measures", "Review agenda"]


def test_a_runbook_that_names_no_sections_gets_the_usual_ones(story: Story, runbook: Runbook) -> None:
    bare = replace(runbook, postmortem=None)
    assert tuple(s.title for s in written(story, bare).sections[:6]) == DEFAULT_SECTIONS


def test_a_section_only_this_runbook_has_is_filled_from_the_fact_of_its_name(story: Story, runbook: Runbook) -> None:
    own = replace(runbook, postmortem=PostmortemOutline(("Cost to customers", "Metrics"), ()))
    told = (*story, e.Entry(99, T0 + timedelta(hours=2), "ana", e.FactRecorded("cost_to_customers", "412 orders")))
    document = written(told, own)
    assert section(document, "Cost to customers") == "412 orders"
    assert "Measures" not in [s.title for s in document.sections]


def test_action_items_are_shown_even_where_the_runbook_has_no_section_for_them(story: Story, runbook: Runbook) -> None:
    own = replace(runbook, postmortem=PostmortemOutline(("Timeline", "Mitigation"), ()))
    assert "Action items" in [s.title for s in written(story, own).sections]
    bare = written(story[:12], own)
    assert "Action items" not in [s.title for s in bare.sections]
    assert section(bare, "Mitigation") == "Nothing was recorded."


def test_the_summary_says_severity_with_its_changes_people_and_length(story: Story, runbook: Runbook) -> None:
    said = section(written(story, runbook), "Incident summary")
    assert "SEV1 (changed: SEV3 to SEV1 by ana at 10:04 UTC, all users affected)" in said
    assert "Acknowledged | 2026-01-05 10:03 UTC by ana in the incident room" in said
    assert "Resolved | 2026-01-05 11:05 UTC, 1 h 5 min after opening" in said


def test_what_nobody_recorded_says_who_records_it_and_as_what(story: Story, runbook: Runbook) -> None:
    document = written(story, runbook)
    assert section(document, "Root cause") == "A bad deployment"
    assert section(document, "Impact") == (
        "Not recorded yet. ana (incident commander) records it as impact, in the incident room or with tocsin note."
    )
    assert [text.split(" as ")[1].split(",")[0] for text in missing(document)] == [
        "summary", "impact", "went_well", "to_improve",
    ]  # fmt: skip


def test_a_mitigation_stands_with_its_approver_and_outcome(story: Story, runbook: Runbook) -> None:
    assert section(written(story, runbook), "What was tried") == (
        "2026-01-05 10:15 UTC | Rollback | kubectl rollout undo deployment/backend | ana | ben | succeeded: exit 0"
    )


def test_a_rejected_mitigation_says_by_whom_and_why(story: Story, runbook: Runbook) -> None:
    told = (*story[:15], e.Entry(16, T0 + timedelta(minutes=16), "cyril", e.MitigationRejected("a1", "too risky")))
    assert section(written(told, runbook), "What was tried").endswith("nobody | rejected by cyril: too risky")


def test_only_steps_with_a_problem_are_evidence_that_mattered(story: Story, runbook: Runbook) -> None:
    assert section(written(story, runbook), "Evidence that mattered") == (
        "2026-01-05 10:00 UTC | First look | Health | found a problem | HTTP 500 | ev-2"
    )


def test_the_decision_path_has_the_question_in_words_and_where_it_led(story: Story, runbook: Runbook) -> None:
    assert section(written(story, runbook), "Decision path").splitlines() == [
        "2026-01-05 10:06 UTC | Was there a deployment? | yes | ana | new version at 09:55",
        "The tree led to: Roll back",
    ]


def test_an_unknown_answer_leaves_the_tree_at_its_question(runbook: Runbook, tell: Tell) -> None:
    told = tell((1, "ana", e.Answered("deployment", "unknown")))
    assert section(written(told, runbook), "Decision path").endswith("The tree was left at: Was there a deployment?")


def test_a_new_walk_after_a_reopening_forgets_the_old_answers(runbook: Runbook, tell: Tell) -> None:
    walk = [
        (1, "ana", e.Acknowledged(None, "cli")), (2, "ana", e.Answered("deployment", "yes")), (3, "ana", e.Resolved()),
        (4, "ana", e.Reopened("again")),
    ]  # fmt: skip
    assert "Roll back" in section(written(tell(*walk), runbook), "Decision path")
    again = tell(*walk, (5, "ana", e.Answered("deployment", "no")))
    assert section(written(again, runbook), "Decision path").endswith("The tree led to: Escalate")


def test_an_action_item_is_open_until_its_time_and_overdue_after(story: Story, runbook: Runbook) -> None:
    due = T0 + timedelta(days=7)
    assert "ben | 2026-01-12 | open" in section(written(story, runbook, due), "Action items")
    late = section(written(story, runbook, due + timedelta(seconds=1)), "Action items")
    assert late.splitlines() == ["Alert on deployments | ben | 2026-01-12 | overdue", "Training"]


def test_each_measure_stands_beside_its_formula(story: Story, runbook: Runbook) -> None:
    said = section(written(story, runbook), "Measures").splitlines()
    assert said[0] == "MTTD | 4 min | opened - impact start"
    assert said[4].startswith("Acknowledge SLA | met (target 5 min)")


def test_the_review_is_due_from_the_first_resolve(story: Story, runbook: Runbook) -> None:
    said = section(written(story, runbook), "Review agenda").splitlines()
    assert said == [
        "Timeline review",
        "What went well",
        "What could improve",
        "Action items",
        "Review | 2026-01-12 11:05 UTC",
    ]


def test_an_incident_still_open_has_a_postmortem_too(runbook: Runbook, tell: Tell) -> None:
    document = written(tell(), Runbook(title="", file="", digest=""))
    assert "Resolved | not yet" in section(document, "Incident summary")
    assert as_markdown(document).startswith("# Postmortem of incident 1: Error rate high\n\n## Incident summary\n")


def test_json_has_seconds_and_utc_times(story: Story, runbook: Runbook) -> None:
    plain = json.loads(json.dumps(as_json(written(story, runbook))))
    assert plain["metrics"][3] == {
        "name": "MTTR", "value_seconds": 3900.0, "formula": "first resolved - opened", "invalid": None,
    }  # fmt: skip
    assert plain["opened_at"] == "2026-01-05T10:00:00Z"
    assert plain["update_cadence"]["longest_gap_seconds"] == 2100.0
    assert plain["sections"][0]["blocks"][1]["block"] == "table"


def test_five_thousand_events_lose_nothing(runbook: Runbook, tell: Tell) -> None:
    told = tell(*((n / 60, "ana", e.Noted(f"note {n}")) for n in range(5000)))
    assert section(written(told, runbook), "Timeline").count("noted: note") == 5000
