from __future__ import annotations

import os
import pty
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.cli import interview, starter
from tocsin.cli.check import reading_of
from tocsin.cli.init import NAMES, init
from tocsin.cli.interview import AnswerError, Answers, Person
from tocsin.config import check_against, load, roster
from tocsin.runbook.model import Level


def test_the_starter_settings_load_and_fit_the_starter_runbook(tmp_path: Path) -> None:
    assert init(tmp_path) == 0
    settings = load(tmp_path / "tocsin.toml", environ={})
    book = reading_of(settings.runbook.read_text(), settings.runbook).runbook
    assert check_against(settings, book) == ()
    assert roster(settings, feeds={}, runbook=book).role_names


def test_the_starter_runbook_is_whole_and_clean(tmp_path: Path) -> None:
    init(tmp_path)
    reading = reading_of((tmp_path / "runbook.md").read_text(), tmp_path / "runbook.md")
    assert [f for f in reading.findings if f.level is not Level.INFO] == []
    book = reading.runbook
    assert all(
        (book.severities, book.indicators, book.escalation, book.update_cadence, book.templates, book.procedures)
    )
    assert all((book.mitigations, book.decision_tree, book.checklists, book.post_incident, book.postmortem))


def test_every_example_of_the_settings_loads_when_taken_up(tmp_path: Path) -> None:
    init(tmp_path)
    text = (tmp_path / "tocsin.toml").read_text()
    lines = [line.removeprefix("# ") if _example(line) else line for line in text.splitlines()]
    (tmp_path / "tocsin.toml").write_text("\n".join(lines))
    names = ("SMTP_PASSWORD", "TOCSIN_ALERT_TOKEN", "TOCSIN_SECRET_KEY", "TOCSIN_WEBHOOK_SECRET")
    environ = dict.fromkeys(names, "x" * 40) | {"SLACK_WEBHOOK_URL": "https://hooks.example.com/x"}
    settings = load(tmp_path / "tocsin.toml", environ=environ)
    assert settings.channels.names() == ("console", "email", "webhook", "slack")
    assert settings.sources.probes
    assert settings.schedules["primary"].overrides


def _example(line: str) -> bool:
    key = line.removeprefix("# ").partition(" = ")
    return line.startswith("# [") or (line.startswith("# ") and bool(key[1]) and key[0].replace("_", "").isalpha())


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_there_is_never_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / name).write_text("mine")
    assert init(tmp_path) == 2
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"
    assert f"{name} exists already" in capsys.readouterr().err


def test_a_link_that_leads_nowhere_counts_as_there(tmp_path: Path) -> None:
    (tmp_path / "runbook.md").symlink_to(tmp_path / "gone")
    assert init(tmp_path) == 2
    assert not (tmp_path / "gone").exists()


def test_a_directory_that_is_not_there_is_made(tmp_path: Path) -> None:
    assert init(tmp_path / "a" / "b") == 0
    assert sorted(os.listdir(tmp_path / "a" / "b")) == sorted(NAMES)


def test_a_file_in_the_place_of_the_directory_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert init(tmp_path / "file") == 2
    assert capsys.readouterr().err.count("\n") == 1


def _typed(*lines: str) -> Callable[[str], str]:
    given = iter(lines)
    return lambda _question: next(given)


def _whole(answers: Answers) -> None:
    """Both files for these answers are clean, and fit."""
    with tempfile.TemporaryDirectory() as name:
        there = Path(name)
        (there / "runbook.md").write_text(starter.runbook(answers), encoding="utf-8")
        (there / "tocsin.toml").write_text(starter.settings(answers), encoding="utf-8")
        reading = reading_of(starter.runbook(answers), there / "runbook.md")
        assert [f for f in reading.findings if f.level is not Level.INFO] == []
        loaded = load(there / "tocsin.toml", environ={})
        assert check_against(loaded, reading.runbook) == ()
        assert roster(loaded, feeds={}, runbook=reading.runbook).role_names
        assert tuple(s.response for s in reading.runbook.severities) == answers.response
        assert {p.name for p in loaded.people.values()} >= {answers.on_call.name, answers.lead.name}
        assert answers.service in loaded.services


def _accepted(taken: Callable[[str], str], text: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Texts that the interview takes."""
    return text.map(str.strip).filter(lambda said: _takes(taken, said))


def _takes(check: Callable[[str], str], text: str) -> bool:
    try:
        check(text)
    except AnswerError:
        return False
    return True


def _like(regex: str) -> st.SearchStrategy[str]:
    return st.from_regex(regex, fullmatch=True)


_LABELS = _accepted(interview.label, _like("[a-z][a-z0-9-]{0,12}[a-z0-9]"))
_EMAILS = _accepted(interview.email, _like(r"[A-Za-z0-9._%+-]{1,9}@[A-Za-z0-9]{1,9}\.[a-z]{2}"))
_PEOPLE = st.builds(Person, _accepted(interview.name, st.text(min_size=1, max_size=20)), _EMAILS)
_TIMES = st.lists(st.integers(0, 7 * 24 * 60), min_size=3, max_size=3).map(
    lambda minutes: tuple(timedelta(minutes=m) for m in sorted(minutes))
)
_ANSWERS = st.builds(
    Answers,
    service=_LABELS,
    health=_accepted(interview.address, _like(r"https?://[A-Za-z0-9.-]{1,12}(:[0-9]{2,5})?(/[A-Za-z0-9._/-]{0,12})?")),
    namespace=st.just("") | _LABELS,
    workload=_LABELS,
    response=_TIMES,
    on_call=_PEOPLE,
    lead=_PEOPLE,
    channel=st.sampled_from(interview.CHANNELS),
    mail_server=_accepted(interview.mail_server, _like(r"[A-Za-z0-9]{1,9}:[0-9]{1,5}")),
    team=_EMAILS,
    hook=_accepted(interview.hook, _like(r"https?://[A-Za-z0-9.-]{1,12}(/[A-Za-z0-9._~/?&=%+:-]{0,12})?")),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(_ANSWERS)
def test_whatever_is_answered_both_files_are_clean_and_fit(answers: Answers) -> None:
    _whole(answers)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="az-.:/@ 1\"'`\\|\n\r\0<>é", max_size=12))
def test_what_a_check_takes_can_end_no_string_cell_or_command(text: str) -> None:
    checks = (interview.label, interview.address, interview.hook, interview.email, interview.name)
    taken = any(_takes(check, text) for check in checks)
    assert not taken or not set(text) & set('"`\\|\n\r\0<>')


@pytest.mark.parametrize(
    "bad", ['Ana "the" Boss', "Ana | Ben", "Ana\nBen", "Ana\u202eneB", "Ana\\", "", "x" * 61, "<b>", "\ud800"]
)
def test_a_name_that_could_break_the_files_is_refused(bad: str) -> None:
    with pytest.raises(AnswerError, match="without quotes, pipes"):
        interview.name(bad)


@pytest.mark.parametrize("good", ["Ana Nováková", "王小明", "J. Müller-Lüdenscheidt", "x" * 60])
def test_a_name_in_any_script_is_taken(good: str) -> None:
    assert interview.name(good) == good
    _whole(Answers(on_call=Person(good, "ana@example.com"), lead=Person(good, "ana@example.com")))


@pytest.mark.parametrize(
    "bad", ["http://a b", "http://a/'", "http://a;rm", "http://u:p@a/", "ftp://a", "http://a:0", "http://a:65536", "a"]
)
def test_an_address_that_could_break_a_command_is_refused(bad: str) -> None:
    with pytest.raises(AnswerError, match="write an address"):
        interview.address(bad)


def test_enter_at_every_question_is_the_starter_as_it_ships(tmp_path: Path) -> None:
    assert init(tmp_path, ask=lambda _question: "") == 0
    assert [(tmp_path / name).read_text() for name in NAMES] == [starter.starter(name) for name in NAMES]


def test_every_answer_arrives(tmp_path: Path) -> None:
    people = ("Ana Nováková", "ana@shop.example", "Ben", "ben@shop.example")
    times = ("5m", "20 min", "2 hours")
    where = ("checkout", "https://shop.example/health", "shop", "checkout-api")
    assert init(tmp_path, ask=_typed(*where, *times, *people, "email", "mx.shop.example:25", "ops@shop.example")) == 0
    loaded = load(tmp_path / "tocsin.toml", environ={})
    assert loaded.people["ana"].email == "ana@shop.example"
    assert loaded.services["checkout"].health == "https://shop.example/health"
    assert loaded.channels.names() == ("console", "email")
    book = (tmp_path / "runbook.md").read_text()
    assert "`kubectl rollout undo deployment/checkout-api -n shop`" in book
    assert "| SEV2 | An important part does not work | 20 min |" in book
    assert "127.0.0.1:8000" not in book


def test_an_answer_that_is_not_taken_is_asked_again_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init(tmp_path, ask=_typed("My Shop!", "shop", *[""] * 11)) == 0
    assert "Not taken: write up to 40 small letters" in capsys.readouterr().out
    assert "[services.shop]" in (tmp_path / "tocsin.toml").read_text()


@pytest.mark.parametrize(("second", "taken"), [("29 min", False), ("30 min", True)])
def test_a_lower_level_is_never_more_urgent_than_the_one_above(second: str, taken: bool) -> None:
    said: list[str] = []
    answers = interview.interview(_typed("", "", "", "30 min", second, *[""] * 8), said.append)
    assert answers.response == (timedelta(minutes=30), timedelta(minutes=30), timedelta(hours=1))
    assert any("30 min or longer" in line for line in said) is not taken


def test_two_people_of_one_name_have_two_keys() -> None:
    answers = Answers(on_call=Person("Ana A", "a@x.example"), lead=Person("Ana B", "b@x.example"))
    assert starter.ids(answers) == ("ana", "ana-2")
    _whole(answers)


def test_every_passage_that_an_answer_changes_is_in_the_starter() -> None:
    person = Person("Ana", "ana@x.example")
    for channel in interview.CHANNELS:
        for namespace in ("", "shop"):
            times = (timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=3))
            answers = Answers("shop", "http://x", namespace, "w", times, person, person, channel)
            assert all(old in starter.starter("runbook.md") for old, _ in starter.runbook_changes(answers))
            assert all(old in starter.starter("tocsin.toml") for old, _ in starter.settings_changes(answers))


@pytest.mark.parametrize("after", range(0, 12, 4))
def test_an_interrupt_between_the_questions_leaves_nothing(tmp_path: Path, after: int) -> None:
    lines = iter([""] * after)

    def ask(_question: str) -> str:
        for line in lines:
            return line
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        init(tmp_path / "new", ask=ask)
    assert list(tmp_path.iterdir()) == []


def test_answers_that_end_early_write_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def ask(_question: str) -> str:
        raise EOFError

    assert init(tmp_path / "new", ask=ask) == 2
    assert list(tmp_path.iterdir()) == []
    assert "nothing was written" in capsys.readouterr().err


def _on_a_terminal(typed: bytes, *arguments: str) -> tuple[int, str]:
    """The exit code and what a terminal showed, with `typed` waiting on it."""
    ours, theirs = pty.openpty()
    program = "from tocsin.cli.main import main; main()"
    command = [sys.executable, "-c", program, "init", *arguments]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        os.write(ours, typed)
        shown = b""
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:  # Linux: the other end of the terminal was closed
            pass
    os.close(ours)
    return process.returncode, shown.decode()


def test_a_person_on_a_terminal_is_asked(tmp_path: Path) -> None:
    code, shown = _on_a_terminal(b"shop\n" + b"\n" * 11, str(tmp_path))
    assert (code, "Name of the service [web]" in shown) == (0, True)
    assert "[services.shop]" in (tmp_path / "tocsin.toml").read_text()


def test_yes_asks_nothing_on_a_terminal(tmp_path: Path) -> None:
    code, shown = _on_a_terminal(b"", "--yes", str(tmp_path))
    assert (code, "Name of the service" in shown) == (0, False)
    assert sorted(os.listdir(tmp_path)) == sorted(NAMES)


@pytest.mark.parametrize(
    ("answers", "channel"),
    [
        (Answers(), "Tocsin's console"),
        (Answers(channel="email", team="shop@example.com"), "E-mail to shop@example.com"),
        (Answers(channel="webhook", hook="https://hooks.example.com/secret/x"), "Webhook at hooks.example.com"),
    ],
)
def test_the_runbook_names_the_channel_that_was_chosen(answers: Answers, channel: str) -> None:
    text = starter.runbook(answers)
    assert f"**Channel:** {channel}\n" in text
    assert "Slack" not in text
