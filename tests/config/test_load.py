from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.config import Overrides, Settings, SettingsError, load
from tocsin.config.scalars import duration
from tocsin.incident.policy import AfterAcknowledge

Read = Callable[[str], Settings]


def refusal(read: Read, text: str) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        read(text)
    assert str(refused.value).splitlines() == list(refused.value.problems)
    return list(refused.value.problems)


def test_every_table_of_the_settings_is_read(read: Read, whole: str) -> None:
    given = read(whole)
    assert given.public_url == "https://tocsin.example.com"
    assert (given.host, given.port, given.severity["critical"]) == ("0.0.0.0", 9000, "SEV1")
    assert given.roles["DevOps Lead"] == ("dana", "schedule:primary")
    assert given.acknowledge.immediate == timedelta(minutes=3)
    assert given.escalation.after_acknowledge is AfterAcknowledge.PAGE
    assert given.approvals.expire == timedelta(minutes=90)
    assert (given.status_page.publish, given.status_page.automatic) == (Path("/srv/status"), False)
    assert given.channels.names() == ("email", "webhook", "slack")


def test_sources_are_read_with_their_defaults(read: Read, whole: str) -> None:
    sources = read(whole).sources
    assert sources.prometheus is not None
    rule = sources.prometheus.rules[0]
    assert (rule.holding, rule.every) == (timedelta(minutes=5), timedelta(seconds=30))
    assert (sources.probes[0].expect_status, sources.probes[0].failures) == ((200,), 3)
    assert (sources.logs[0].threshold, sources.logs[0].command[0]) == (10, "kubectl")
    assert sources.reports.public is False


def test_paths_are_relative_to_the_file(read: Read, tmp_path: Path) -> None:
    given = read('runbook = "books/a.md"\n[[sources.logs]]\nname = "a"\nfile = "log"\npattern = "x"\n')
    assert given.runbook == tmp_path / "books" / "a.md"
    assert given.sources.logs[0].file == tmp_path / "log"
    assert given.database.get_secret_value() == f"sqlite:///{tmp_path / 'tocsin.db'}"


def test_without_a_file_one_person_holds_every_role_and_the_console_is_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = load(None, environ={}, overrides=Overrides(port=9999))
    assert given.runbook.is_file()
    assert given.roles == {"*": ("me",)}
    assert given.channels.names() == ("console",)
    assert given.public_url == "http://127.0.0.1:9999"
    assert given.database.get_secret_value() == f"sqlite:///{tmp_path / 'tocsin.db'}"


def test_the_usual_file_is_found_and_the_environments_file_comes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tocsin.toml").write_text("port = 1")
    (tmp_path / "other.toml").write_text("port = 2")
    (tmp_path / "third.toml").write_text("port = 3")
    assert load(None, environ={}).port == 1
    assert load(None, environ={"TOCSIN_CONFIG": "other.toml"}).port == 2
    assert load(Path("third.toml"), environ={"TOCSIN_CONFIG": "other.toml"}).port == 3


def test_the_command_line_comes_before_the_environment_and_that_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "settings" / "tocsin.toml"
    file.parent.mkdir()
    file.write_text('database = "sqlite:///file.db"\nrunbook = "file.md"\nhost = "::1"\n')
    environ = {"TOCSIN_DATABASE": "sqlite:///environment.db"}
    seen = load(file, environ=environ, overrides=Overrides(runbook=Path("line.md")))
    assert seen.database.get_secret_value().endswith(f"{tmp_path}/environment.db")
    assert (seen.runbook, seen.public_url) == (tmp_path / "line.md", "http://[::1]:8080")
    last = load(file, environ=environ, overrides=Overrides(database="sqlite:////line.db", host="h"))
    assert (last.database.get_secret_value(), last.host) == ("sqlite:////line.db", "h")


def test_the_console_is_off_beside_another_channel_unless_it_is_asked_for(read: Read) -> None:
    webhook = '[channels.webhook]\nurl = "https://h"\n'
    assert read("").channels.names() == ("console",)
    assert read(webhook).channels.names() == ("webhook",)
    assert read(webhook + "[channels.console]\n").channels.names() == ("console", "webhook")
    assert read("[channels.console]\nenabled = false").channels.names() == ()


def test_a_service_is_found_by_all_its_labels(read: Read) -> None:
    given = read('[services.a]\nmatch = {service = "a", env = "prod"}\n[services.b]\nmatch = {service = "b"}\n')
    assert given.service_of({"service": "a", "env": "prod", "x": "y"}) == "a"
    assert given.service_of({"service": "b"}) == "b"
    assert given.service_of({"service": "a"}) is None


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0m", timedelta(0)),
        ("30s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
        ("1w", timedelta(weeks=1)),
        ("1h30m", timedelta(minutes=90)),
        ("", None),
        ("5", None),
        ("5 m", None),
        ("5min", None),
        ("-5m", None),
        ("30m1h", None),
        ("3653d", timedelta(days=3653)),
        ("3654d", None),
        ("9999999999999w", None),
    ],
)
def test_a_duration_is_whole_numbers_with_units(text: str, length: timedelta | None) -> None:
    assert duration(text) == length


def test_all_that_is_wrong_is_said_at_once_in_the_order_of_the_file(read: Read) -> None:
    text = (
        'prot = 1\n[people.ana]\nemial = "a@b"\nemail = "nobody"\n[sources.prometheus]\n[approvals]\nexpire = "soon"\n'
    )
    assert refusal(read, text) == [
        'tocsin.toml:1: unknown key "prot": did you mean "port"?',
        'tocsin.toml:3: [people.ana] unknown key "emial": did you mean "email"?',
        'tocsin.toml:4: [people.ana] email: is not an e-mail address: write it like "ana@example.com"',
        'tocsin.toml:5: [sources.prometheus] missing key "url": add url = ...',
        'tocsin.toml:7: [approvals] expire: is not a duration: write it like "30s", "15m", "2h", "1d" or "1w"',
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\n[xpeople.ana]", 'tocsin.toml:2: unknown key "xpeople": did you mean "people"?'),
        ("[channelz]", 'tocsin.toml:1: [channelz] unknown key "channelz": did you mean "channels"?'),
        ('[people]\nana = {emial = "x"}', 'tocsin.toml:2: [people] unknown key "emial" in ana: did you mean "email"?'),
        ("port = 65536", "tocsin.toml:1: port: must be less than or equal to 65535"),
        ('port = "80"', "tocsin.toml:1: port: must be a whole number"),
        ('people = "ana"', "tocsin.toml:1: people: must be a table of keys and values"),
        ('public_url = "example.com"', 'tocsin.toml:1: public_url: is not a URL: write it like "https://host/path"'),
        ("runbook = ''", "tocsin.toml:1: runbook: is empty: give the path of a file"),
        (
            '[escalation]\nafter_acknowledge = "x"',
            "tocsin.toml:2: [escalation] after_acknowledge: must be 'inform', 'page' or 'stop'",
        ),
        ("[zebra]\n[services.a]\nmatch = {}", 'tocsin.toml:1: [zebra] unknown key "zebra": known are'),
        ("[roles]\nCTO = []", "tocsin.toml:2: [roles] CTO: is empty"),
        (
            "[channels.slack]\nchannel = '#a'",
            "tocsin.toml:1: [channels.slack] needs webhook_url: this version posts with",
        ),
        ("[status_page]\npublish = 's3://x'", "tocsin.toml:2: [status_page] publish: must be a folder written like"),
        (
            "[[sources.logs]]\nname='a'\npattern='('\nfile='x'",
            "tocsin.toml:3: [[sources.logs]] pattern: is not a valid regular",
        ),
        ("[[sources.logs]]\nname='a'\npattern='x'", "tocsin.toml:1: [[sources.logs]] needs either file"),
        (
            "[[sources.probes]]\nname='a'\nurl='http://a'\n[[sources.probes]]\nname='a'\nurl='http://b'",
            'tocsin.toml:1: sources.probes: has two entries named "a"',
        ),
        (
            "[procedures]\nenvironment = {'A B' = 'x'}",
            'tocsin.toml:2: [procedures] environment."A B": is not a valid name',
        ),
        ("[approvals]\nexpire = '0m'", "tocsin.toml:2: [approvals] expire: must be longer than zero"),
    ],
)
def test_each_mistake_is_named_with_its_place(read: Read, text: str, line: str) -> None:
    assert refusal(read, text)[0].startswith(line)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("people = ['a']", "needs starts ="),
        ("people = ['a']\nical = 'x.ics'", "needs either people"),
        ("", "needs either people"),
        ("people = ['a']\nstarts = 2026-01-06\nhandoff = 'Mon 09:00'", "write starts = 2026-01-12"),
        ("timezone = 'Mars/Base'\nical = 'x.ics'", "timezone: is not a time zone"),
        ("people = ['a']\nstarts = '2026-01-05'", "starts: must be a date without quotes"),
        (
            "ical = 'x.ics'\noverrides = [{from = 2026-01-02T00:00:00Z, until = 2026-01-01T00:00:00Z, person = 'a'}]",
            "an override that ends before it begins",
        ),
        (
            "ical = 'x.ics'\noverrides = [{from = 2026-01-02T00:00:00Z, until = 9999-01-01T00:00:00Z, person = 'a'}]",
            "overrides[1].until: is not a time of these years",
        ),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(read: Read, table: str, reason: str) -> None:
    problems = refusal(read, f"[schedules.primary]\n{table}")
    assert [reason in problem for problem in problems] == [True]


def test_a_file_that_is_no_toml_is_named_with_its_line(read: Read) -> None:
    assert refusal(read, "port = 1\nhost = localhost\n")[0].startswith("tocsin.toml:2: not valid TOML: ")
    assert refusal(read, 'a = 1\ntitle = """x\n')[0].startswith("tocsin.toml:2: not valid TOML: ")


def test_a_file_that_is_not_there_or_no_text_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"title = '\xe9'")
    for name, reason in (("none.toml", "no such file"), ("latin.toml", "not UTF-8"), (".", "cannot be read")):
        with pytest.raises(SettingsError, match=f"^[^\n]*{reason}[^\n]*$"):
            load(tmp_path / name, environ={})
