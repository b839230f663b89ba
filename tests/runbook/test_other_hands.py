"""Ways of writing that turned up in other people's runbooks: one small document of our own wording for each."""

from datetime import timedelta

import pytest

from tocsin.runbook.model import Runbook
from tocsin.runbook.reader import read

LEVELS = "## Severity\n| Level | Description |\n|--|--|\n| P1 - Critical | a |\n| P2 - High | b |\n| P3 | c |\n\n"


def book(text: str) -> Runbook:
    return read(text, file="runbook.md").runbook


def seconds(time: timedelta | None) -> int | None:
    return None if time is None else int(time.total_seconds())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("## Classify\n- All is down -> **P1**. Wake the lead.\n- A part is -> **P2**.", [("P1", None), ("P2", None)]),
        ("## Classify\n- Is it all? -> P1\n- Is it a part? -> P2", []),
        ("## Classify\n- All is down -> P1\n- Tell the desk", []),
        (
            "## Severity\n**P1 - Critical (< 15 min)**\n- all\n\n**P2 - High (< 1 hour)**\n- some",
            [("P1", 900), ("P2", 3600)],
        ),
        ("## Severity\n### P1 (15 min)\n- all\n### P2 (some users)\n- some", [("P1", None), ("P2", None)]),
        (
            "## Severity\n### P1 (1 day)\n- Response time: 5 min\n### P2 (2 days)\n- Response time: 1 h",
            [("P1", 300), ("P2", 3600)],
        ),
        ("## Классификация\n**P1 (< 15 минут)**\n- всё\n\n**P2 (< 1 час)**\n- часть", [("P1", 900), ("P2", 3600)]),
    ],
)
def test_levels(text: str, expected: list[tuple[str, int | None]]) -> None:
    assert [(level.name, seconds(level.response)) for level in book(text).severities] == expected


def test_a_level_that_a_case_leads_to_is_described_by_the_case() -> None:
    found = book("## Severity\n- Nobody can pay → **SEV1**\n- Some cannot → **SEV2**").severities
    assert [level.description for level in found] == ["Nobody can pay", "Some cannot"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            LEVELS
            + "## Escalation\n| Level | First contact | Escalation (15 min) |\n|--|--|--|\n| P1 | On-call | Lead |",
            [("P1", 0, "On-call"), ("P1", 900, "Lead")],
        ),
        (
            LEVELS + "## Contacts\n| Role | Contact | Escalation |\n|--|--|--|\n| On-call | pager | Auto-page |\n"
            "| Team Lead | chat | 15 min |\n| Manager | phone | 30 min |\n| CTO | phone | P1 only |",
            [(None, None, "On-call"), (None, 900, "Team Lead"), (None, 1800, "Manager"), ("P1", None, "CTO")],
        ),
        (
            "## Contacts\n| Role | Contact | Escalation |\n|--|--|--|\n| CTO | phone | 1 hour |\n| CEO | - | rarely |",
            [],
        ),
    ],
)
def test_escalation(text: str, expected: list[tuple[str | None, int | None, str]]) -> None:
    assert [(rung.severity, seconds(rung.after), rung.to) for rung in book(text).escalation] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LEVELS + "## Communicate\n- If a P1/2, post an update every 15 minutes", [("P1", 900), ("P2", 900)]),
        (LEVELS + "## Steps\n1. Update at a cadence that fits (always for P1, every 30-60 min for P2)", [("P2", 3600)]),
        (LEVELS + "## Steps\n1. Retry at a cadence that fits (every 30 min for P2)", []),
    ],
)
def test_how_often_people_are_told(text: str, expected: list[tuple[str | None, int]]) -> None:
    assert [(rule.severity, seconds(rule.every)) for rule in book(text).update_cadence] == expected


def test_a_point_names_the_boxes_below_it_and_a_label_inside_it_those_below_the_label() -> None:
    text = (
        "## Phase 2\n1. **Look around**\n   - [ ] one\n   - [ ] two\n     - [ ] a part of two\n2. **Stop it**\n\n"
        "   **In a breach:**\n   - [ ] lock\n\n   **Otherwise:**\n   - [ ] wait\n"
    )
    found = [(list_.title, len(list_.items), list_.line) for list_ in book(text).checklists]
    assert found == [("Look around", 3, 2), ("In a breach", 1, 8), ("Otherwise", 1, 11)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("### 5. Коммуникация\n#### Шаблоны\n**Начало:**\n```\nСервис недоступен\n```", ["Начало"]),
        (
            "## Steps\n1. Update the status page\n   ```\n   Title: [what]\n   Status: Investigating\n   ```",
            ["Update the status page"],
        ),
        (
            "## Steps\n1. Notify the users\n   ```\n   Subject: News\n\n   We look into it.\n   ```",
            ["Notify the users"],
        ),
        ("## Steps\n1. Check the status\n   ```\n   pods: <name>\n   something else\n   ```", []),
    ],
)
def test_messages(text: str, expected: list[str]) -> None:
    assert [template.name for template in book(text).templates] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("## Phase 2: Containment\n1. Contain it\n   - [ ] Lock it\n2. Watch it\n   - the graphs", []),
        ("## Containment\n1. Lock the account\n2. Block the address", ["Lock the account", "Block the address"]),
        ("## Containment protocol\n1. Shed traffic\n   ```bash\n   kubectl scale deploy/web --replicas=0\n   ```", []),
    ],
)
def test_what_is_gone_through_in_order_is_no_mitigation(text: str, expected: list[str]) -> None:
    assert [mitigation.action for mitigation in book(text).mitigations] == expected


def test_a_protocol_is_a_procedure() -> None:
    text = "## Containment protocol\n1. Shed traffic\n   ```bash\n   kubectl scale deploy/web --replicas=0\n   ```"
    assert [procedure.title for procedure in book(text).procedures] == ["Containment protocol"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "## Post-incident\n### Required\n1. [ ] Hold a review within 48 hours\n2. [ ] Identify the cause",
            [("Hold a review within 48 hours", 172800), ("Identify the cause", None)],
        ),
        (
            "## Post-incident\n### Follow-up actions\n1. **Technical**\n   - [ ] Alert earlier\n   - [ ] Add a test",
            [("Alert earlier", None), ("Add a test", None)],
        ),
        ("## Post-incident\n### Report sections\n- [ ] Identify the cause", []),
        (
            "## Postmortem\nEvery P1 requires a blameless write-up within 5 business days:\n- what happened",
            [("Every P1 requires a blameless write-up within 5 business days", None)],
        ),
        ("## Postmortem\nThe lead reads it. Tickets are closed within 5 business days.", []),
    ],
)
def test_what_is_owed_afterwards(text: str, expected: list[tuple[str, int | None]]) -> None:
    found = book(text).post_incident
    assert [(owed.what, seconds(owed.within)) for owed in found] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "## Post-incident\n1. **Within 1 hour:**\n   - Tell the desk\n2. **Within 1 week:**\n   - Hold the review",
            [("Within 1 hour", 3600, ("Tell the desk",)), ("Within 1 week", 604800, ("Hold the review",))],
        ),
        (
            "## Post-incidente\n1. Completar la plantilla en < 48h\n2. Si aplica: avisar a los usuarios",
            [("Completar la plantilla en < 48h", 172800, ()), ("Si aplica: avisar a los usuarios", None, ())],
        ),
        ("## Pos-incidente\n1. Postmortem em ate 48h.", [("Postmortem em ate 48h.", 172800, ())]),
        ("## Postmortem\n**Review steps:**\n1. Document the timeline", [("Document the timeline", None, ())]),
    ],
)
def test_tasks_below_their_deadline_and_in_other_languages(
    text: str, expected: list[tuple[str, int | None, tuple[str, ...]]]
) -> None:
    assert [(owed.what, seconds(owed.within), owed.items) for owed in book(text).post_incident] == expected


def test_how_often_people_are_told_in_portuguese() -> None:
    rules = book(LEVELS + "## Comunicacao\n1. Atualizacoes a cada 30 minutos em P1 e P2.").update_cadence
    assert [(rule.severity, seconds(rule.every)) for rule in rules] == [("P1", 1800), ("P2", 1800)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("## Containment\n```bash\n# Look\nkubectl get pods\n\n# Lock it\nkubectl delete pod web\n```", ["Lock it"]),
        ("## Containment\n```bash\n# Lock it\nkubectl delete pod web\n# The pod should be gone\n```", ["Lock it"]),
        ("## Eradication\n**Option A — Roll back:**\n```bash\nhelm rollback web\n```", ["Roll back"]),
        ("## Monitor the mitigation\n**After it:**\n1. Look\n   ```bash\n   curl http://localhost/health\n   ```", []),
    ],
)
def test_what_only_looks_is_no_mitigation(text: str, expected: list[str]) -> None:
    assert [mitigation.action for mitigation in book(text).mitigations] == expected


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("bash scripts/check.sh", True),
        ("bash", False),
        ("/opt/tools/check.sh now", True),
        ("/incident create All is down", False),
        ("pytest tests/smoke", True),
    ],
)
def test_what_is_a_command(text: str, runs: bool) -> None:
    steps = book(f"## Known problems\n### All is down\n1. Look at it\n2. Do `{text}`").procedures[0].steps
    assert (steps[-1].kind.value == "shell") == runs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**Severity levels:** P1 (critical) / P2 (major) / P3 (minor)", ["P1 critical", "P2 major", "P3 minor"]),
        ("- Severidad: P0 (crítico) · P1 (alto)", ["P0 crítico", "P1 alto"]),
        ("**Severity:** P1 (critical)", []),
        ("**Severity:** P1/P2, as you see fit", []),
        (
            "## Severity\n| | Examples | Response |\n|--|--|--|\n| SEV1 | all | 5 min |\n| SEV2 | some | 1 h |",
            ["SEV1 ", "SEV2 "],
        ),
        ("## Severity\n| | Examples | Response |\n|--|--|--|\n| Low | all | 5 min |\n| High | some | 1 h |", []),
    ],
)
def test_levels_in_shorthand(text: str, expected: list[str]) -> None:
    assert [f"{level.name} {level.description}" for level in book(text).severities] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            LEVELS + "## Matrix\n| Severity | Who to alert | Expected |\n|--|--|--|\n| P1 | CTO, CEO | war room |",
            [("P1", None, "CTO, CEO")],
        ),
        (
            "## On-call rotation\n- **Primary**: First responder (15-minute SLA)\n"
            "- **Secondary**: Backup if the first is away (30-minute SLA)\n",
            [(None, 900, "First responder"), (None, 1800, "Secondary")],
        ),
    ],
)
def test_who_is_told(text: str, expected: list[tuple[str | None, int | None, str]]) -> None:
    assert [(rung.severity, seconds(rung.after), rung.to) for rung in book(text).escalation] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Book\n## Broker down\n### Steps\n```bash\nkubectl get pods\n```", ["Broker down"]),
        (
            "# Book\n## Broker down\n### Symptoms\n- no\n### Impact\n- all\n### Recovery\n1. Wait\n2. Look",
            ["Broker down"],
        ),
        ("# Book\n## Broker down\n### Notes\n1. Wait\n2. Look", []),
    ],
)
def test_what_a_procedure_is_called(text: str, expected: list[str]) -> None:
    assert [procedure.title for procedure in book(text).procedures] == expected


def test_a_label_that_says_where_a_message_goes_is_not_its_name() -> None:
    text = "## Communication\n### First alert\n**Channel:** #incidents\n\n```\nWe look into [what]\n```"
    assert [template.name for template in book(text).templates] == ["First alert"]


def test_a_table_of_what_contains_each_kind_of_incident_is_one_of_mitigations() -> None:
    text = "## Containment\n| Incident type | Immediate containment |\n|--|--|\n| Leak | Rotate the keys |"
    assert [(action.when, action.action) for action in book(text).mitigations] == [("Leak", "Rotate the keys")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("## After\nThe post-incident review within 5 working days is blameless.", 1),
        ("## Post-incident\n### Runbooks\n- Update them\n- Document what was learnt", 2),
        ("## Post-incident\n### Runbooks\n- Update them\n- Nobody else does", 0),
        ("## Authority (GDPR)\n- File the full incident report within 72 hours", 0),
        ("## Customers\n- File the full incident report within 72 hours", 1),
        (
            "## Review (within 2 weeks)\n1. **Timeline** — Complete\n2. **Report** — Publish\n3. **Lesson** — all",
            0,
        ),
    ],
)
def test_how_much_is_owed_afterwards(text: str, expected: int) -> None:
    assert len(book(text).post_incident) == expected


def test_points_that_name_a_task_and_then_say_it_are_all_tasks() -> None:
    text = "## Post-incident review (within 2 weeks)\n1. **Timeline** — Complete it\n2. **Report** — Publish it"
    owed = book(text).post_incident
    assert [(seconds(group.within), group.items) for group in owed] == [
        (1209600, ("Timeline — Complete it", "Report — Publish it"))
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("## Containment\n- Affected systems are isolated\n- Access is quickly revoked if needed", 0),
        ("## Containment\n- **Access**: all tokens are revoked\n- Isolate what is affected", 2),
    ],
)
def test_what_is_told_to_happen_is_no_mitigation(text: str, expected: int) -> None:
    assert len(book(text).mitigations) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('## Communication\n- Start: say _"We look into it. We post updates every 30 minutes."_', []),
        (
            "## Communication\n- **Update (every 30 minutes for P1, every 2 hours for P2):** what is known",
            [("P1", 1800), ("P2", 7200)],
        ),
        ("## Communication\n- **Update (every 30 minutes for P1, then every hour):** what is known", []),
    ],
)
def test_a_promise_inside_a_message_is_no_rule(text: str, expected: list[tuple[str, int]]) -> None:
    assert [(rule.severity, seconds(rule.every)) for rule in book(LEVELS + text).update_cadence] == expected


def test_one_part_is_enough_below_a_heading_that_names_a_level_and_a_case() -> None:
    part = "### Diagnosis\n```bash\nkubectl get pods\n```\n"
    text = f"# Book\n## P2: Search is slow\n{part}## Slow\n{part}"
    assert [procedure.title for procedure in book(text).procedures] == ["P2: Search is slow", "Diagnosis"]


def test_an_immediate_containment_is_immediate() -> None:
    text = "| Severity | Response target |\n|--|--|\n| P1 | Immediate containment |\n| P2 | Immediate, in the release |"
    assert [seconds(level.response) for level in book(text).severities] == [0, None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("## Steps\n1. Recover.\n2. Post-mortem within 5 business days.", ["Post-mortem within 5 business days."]),
        ("## Notices (GDPR)\n1. Incident report within 5 business days.", []),
    ],
)
def test_a_review_in_business_days_is_owed_at_no_measured_time(text: str, expected: list[str]) -> None:
    owed = book(text).post_incident
    assert [entry.what for entry in owed] == expected
    assert all(entry.within is None for entry in owed)


def test_whom_a_spanish_table_of_levels_alerts() -> None:
    text = "| Nivel | Respuesta | Escalación |\n|--|--|--|\n| P1 | 15 min | Alertar on-call |\n| P2 | 1 h | - |"
    assert [(rung.severity, rung.to) for rung in book(text).escalation] == [("P1", "on-call")]


def test_a_quotation_that_opens_with_its_subject_is_a_message() -> None:
    text = "## Notification templates\n**First:**\n> Subject: News\n> We look into it.\n\n**Note:**\n> Nobody knows."
    assert [template.name for template in book(text).templates] == ["First"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("## After the incident\nWithin five working days: a blameless write-up.", 1),
        ("## After the incident\nWithin 5 business days, publish:\n- the timeline", 1),
        ("## Tickets\nWithin 5 business days, close them.", 0),
    ],
)
def test_a_paragraph_that_opens_with_business_days_owes_a_task(text: str, expected: int) -> None:
    assert [entry.within for entry in book(text).post_incident] == [None] * expected


def test_the_phases_of_a_case_as_points_are_its_steps() -> None:
    text = "# Book\n## Site down\n- **Detect:** errors\n- **Diagnose:** `docker ps`\n- **Recover:** restart it\n"
    found = book(text).procedures
    assert [(procedure.title, [step.kind.value for step in procedure.steps]) for procedure in found] == [
        ("Site down", ["manual", "shell", "manual"])
    ]


def test_the_phases_of_a_process_are_no_procedure() -> None:
    assert not book("# Book\n## Process\n- Detect: see it\n- Contain: stop it\n- Recover: mend it\n").procedures


def test_a_cell_of_sql_is_known_by_what_it_is_for() -> None:
    text = (
        "## Containment toolbox\n| Goal | Action |\n|--|--|\n| Freeze it | `UPDATE t SET on=0` |\n| Wait | Do nothing |"
    )
    assert [(action.action, action.command) for action in book(text).mitigations] == [
        ("Freeze it", None),
        ("Do nothing", None),
    ]
