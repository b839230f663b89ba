from collections.abc import Callable
from datetime import timedelta

from msgspec.structs import replace

from tocsin.config import Settings, check_against
from tocsin.runbook.model import Runbook, Rung, Severity

Read = Callable[[str], Settings]
ROLES = ("On-call", "DevOps Lead")
RUNBOOK = Runbook(
    "Response",
    "book.md",
    "",
    severities=tuple(Severity(name, "", None, "", "", 1) for name in ("SEV1", "SEV2", "SEV3")),
    escalation=tuple(Rung("SEV1", timedelta(minutes=15 * n), role, 40 + n) for n, role in enumerate(ROLES, 1)),
)


def test_settings_that_fit_the_runbook_have_nothing_against_them(read: Read, whole: str) -> None:
    assert check_against(read(whole), RUNBOOK) == ()


def test_a_role_nobody_holds_is_named_with_its_place_in_the_runbook(read: Read) -> None:
    given = read('[people.ana]\n[roles]\n"on-CALL" = "ana"\n')
    assert check_against(given, RUNBOOK) == (
        'tocsin.toml:2: [roles] nobody holds "DevOps Lead" (book.md:42): '
        'add "DevOps Lead" = "a person" or "schedule:a schedule"',
    )


def test_the_star_holds_every_role(read: Read) -> None:
    assert check_against(read('[people.ana]\n[roles]\n"*" = "ana"\n'), RUNBOOK) == ()


def test_roles_schedules_and_overrides_name_people_that_exist(read: Read) -> None:
    schedule = "[schedules.primary]\npeople = ['ana', 'bem']\nstarts = 2026-01-05\n"
    override = (
        "[[schedules.primary.overrides]]\nfrom = 2026-01-05T00:00:00\nuntil = 2026-01-06T00:00:00\nperson = 'eva'\n"
    )
    people = "[people.ana]\n[people.ben]\n[roles]\n'*' = 'anna'\nCTO = 'schedule:primry'\n"
    assert check_against(read(schedule + override + people), RUNBOOK) == (
        'tocsin.toml:2: [schedules.primary] people: no person "bem" under [people]: did you mean "ben"?',
        'tocsin.toml:7: [[schedules.primary.overrides]] person: no person "eva" under [people]: known are ana, ben',
        'tocsin.toml:11: [roles] "*": no person "anna" under [people]: did you mean "ana"?',
        'tocsin.toml:12: [roles] "CTO": no schedule "primry" under [schedules]: did you mean "primary"?',
    )


def test_a_severity_the_runbook_does_not_define_is_refused(read: Read) -> None:
    given = read('[people.ana]\n[roles]\n"*" = "ana"\n[severity]\ncritical = "SEV1"\ndefault = "sev9"\n')
    (problem,) = check_against(given, RUNBOOK)
    assert problem.startswith(
        'tocsin.toml:6: [severity] default: the runbook has no severity "sev9": known are SEV1, SEV2'
    )


def test_a_persons_rule_names_a_channel_that_is_configured(read: Read) -> None:
    rules = '{after = "0m", via = "push"}, {after = "1m", via = "email"}, {after = "2m", via = "pigeon"}'
    given = read(f'[people.ana]\nnotify = [{rules}]\n[roles]\n"*" = "ana"\n')
    assert check_against(given, RUNBOOK) == (
        'tocsin.toml:2: [people.ana] notify[2].via: channel "email" is not configured: '
        "add [channels.email] or notify another way",
        'tocsin.toml:2: [people.ana] notify[3].via: no channel "pigeon": '
        "known are console, email, push, slack, webhook",
    )


def test_the_role_paged_first_must_be_held(read: Read) -> None:
    given = read('[people.ana]\n[roles]\n"On-call" = "ana"\n"DevOps Lead" = "ana"\n[escalation]\nfirst = "Oncall"\n')
    assert check_against(given, RUNBOOK) == (
        'tocsin.toml:6: [escalation] first: nobody holds "Oncall": did you mean "On-call"?',
    )


def test_without_a_matrix_somebody_must_be_on_call(read: Read) -> None:
    bare = replace(RUNBOOK, escalation=())
    held = '[people.ana]\n[roles]\n"On-call" = "ana"\n'
    other = '[people.ana]\n[roles]\n"Pager" = "ana"\n'
    assert check_against(read(held), bare) == ()
    assert check_against(read(other + '[escalation]\nfirst = "Pager"\n'), bare) == ()
    (problem,) = check_against(read(other), bare)
    assert problem.startswith('tocsin.toml:2: [roles] nobody holds "On-call", who is paged when an incident opens')
