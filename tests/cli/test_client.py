"""What the command line makes of a server that is away, refuses, or is not Tocsin at all."""

from __future__ import annotations

import json
import socket
from typing import Protocol, TypeAlias

import httpx
import pytest
from served import Served, playing
from terminals import Terminal

from tocsin.cli import client

Answer: TypeAlias = tuple[int, str, bytes]


class At(Protocol):
    def __call__(self, url: str, token: str = "t") -> Terminal: ...


HTML = (200, "text/html", b"<html>It works!</html>")
INCIDENT = {"number": 1, "title": "t", "severity": "SEV1", "status": "open", "opened_at": "2026-01-05T03:00:00Z"}


def incident(**more: object) -> tuple[int, str, bytes]:
    return 200, "application/json", json.dumps(INCIDENT | more).encode()


@pytest.fixture
def at(ana: Terminal) -> At:
    """Points the terminal to another server."""

    def to(url: str, token: str = "t") -> Terminal:
        ana.environment = {"TOCSIN_URL": url, "TOCSIN_TOKEN": token, "NO_PROXY": "127.0.0.1"}
        return ana

    return to


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_a_server_that_is_not_there_is_one_line_with_its_remedy(at: At, closed_port: int) -> None:
    said = at(f"http://127.0.0.1:{closed_port}").refuses("list")
    assert f"no server at http://127.0.0.1:{closed_port} (Connection refused)" in said
    assert "tocsin serve" in said


@pytest.mark.parametrize("url", ["nonsense", "ftp://host", "http://", "http://host:99999", "http://[::1"])
def test_an_address_that_is_none_is_refused(at: At, url: str) -> None:
    assert "TOCSIN_URL" in at(url).refuses("list")


def test_an_address_with_a_password_is_refused_and_not_repeated(at: At) -> None:
    said = at("http://ana:hunter2@127.0.0.1:1").refuses("list")
    assert "TOCSIN_TOKEN" in said
    assert "hunter2" not in said


@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_token_that_is_missing_or_wrong_says_how_to_get_one(house: Served, at: At, token: str) -> None:
    assert "tocsin token create" in at(house.url, token).refuses("list")


@pytest.mark.parametrize("token", ["café", "two\nlines"])
def test_a_token_no_header_can_carry_is_refused(house: Served, at: At, token: str) -> None:
    assert "TOCSIN_TOKEN" in at(house.url, token).refuses("list")


@pytest.mark.parametrize(
    "answer",
    [
        HTML,
        (200, "application/json", b'{"half": '),
        (200, "application/json", b"[]"),
        (200, "application/json", b"\xff\xfe"),
        (200, "application/json", b""),
        (404, "text/html", b"<h1>Not Found</h1>"),
        (502, "text/plain", b"Bad Gateway"),
        (302, "text/html", b""),
    ],
)
def test_garbage_is_not_taken_for_an_answer(at: At, answer: Answer) -> None:
    with playing(answer) as other:
        assert "not Tocsin's: check TOCSIN_URL" in at(other.url).refuses("show", 1)


def test_garbage_is_not_passed_on_as_json(at: At) -> None:
    with playing(HTML) as other:
        assert "not Tocsin's" in at(other.url).refuses("show", 1, "--json")


@pytest.mark.parametrize(("status", "remedy"), [(409, ""), (500, ""), (503, "try again"), (403, "somebody who may")])
def test_a_refusal_is_the_servers_sentence(at: At, status: int, remedy: str) -> None:
    problem = json.dumps({"status": status, "detail": "not like this"}).encode()
    with playing((status, "application/problem+json", problem)) as other:
        said = at(other.url).refuses("ack", 1)
    assert "not like this" in said
    assert remedy in said


def test_reasons_that_the_sentence_leaves_out_are_added(at: At) -> None:
    problem = {"detail": "Update needs: eta", "errors": [{"name": "impact", "reason": "is too long"}]}
    with playing((422, "application/problem+json", json.dumps(problem).encode())) as other:
        assert "(impact: is too long)" in at(other.url).refuses("note", 1, "x")


def test_a_connection_that_breaks_is_tried_once_more_with_the_same_key(at: At) -> None:
    with playing(None, incident()) as other:
        at(other.url).says("ack", 1)
    keys = [headers["Idempotency-Key"] for _, _, headers, _ in other.asked]
    assert len(keys) == 2
    assert keys[0] == keys[1]


def test_a_connection_that_breaks_twice_is_given_up(at: At) -> None:
    with playing(None) as other:
        at(other.url).refuses("ack", 1)
    assert len(other.asked) == 2


def test_each_command_has_its_own_key(at: At) -> None:
    with playing(incident()) as other:
        at(other.url).says("ack", 1)
        at(other.url).says("ack", 1)
    keys = [headers["Idempotency-Key"] for _, _, headers, _ in other.asked]
    assert keys[0] != keys[1]


def test_a_server_that_takes_too_long_is_told_apart_from_none(at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TIMEOUT", httpx.Timeout(0.1))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        said = at(f"http://127.0.0.1:{silent.getsockname()[1]}").refuses("ack", 1)
    assert "did not answer in time" in said


def test_what_is_left_empty_is_not_sent(at: At) -> None:
    with playing(incident()) as other:
        at(other.url).says("escalate", 1)
    assert json.loads(other.asked[0][3]) == {}


def test_escape_codes_in_an_answer_never_reach_the_terminal(at: At) -> None:
    with playing(incident(title="\x1b[2Jgone\x07\x9b31m\u202edlrow")) as other:
        said = at(other.url).says("show", 1)
    assert "gone" in said
    assert not set(said) & set("\x1b\x07\x9b\u202e")


def test_escape_codes_in_a_refusal_never_reach_the_terminal(at: At) -> None:
    problem = json.dumps({"detail": "no\x1b]0;owned\x07\nway"}).encode()
    with playing((409, "application/problem+json", problem)) as other:
        assert at(other.url).refuses("ack", 1) == "tocsin: no way\n"


def test_json_keeps_every_value_and_steers_no_terminal(at: At) -> None:
    title = "\x9b31m red \u202e é 火"
    body = json.dumps(INCIDENT | {"title": title}, ensure_ascii=False).encode()
    with playing((200, "application/json", body)) as other:
        said = at(other.url).says("show", 1, "--json")
    assert json.loads(said)["title"] == title
    assert "é 火" in said
    assert not set(said) & set("\x9b\u202e")


def test_a_newer_servers_fields_are_passed_over(at: At) -> None:
    with playing(incident(weather="fine", deadlines=[{"due_at": "2026-01-05T03:00:00Z", "mood": 1}])) as other:
        assert "#1 SEV1 OPEN" in at(other.url).says("show", 1)
