"""What a step's ending means, in one plain sentence. Pure: looks at the command, the exit status and the output.

Sources: exit statuses of curl(1), grep(1), ping(8); kubectl prints its own errors as `error:` or `Error from server`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

from msgspec import Struct

from tocsin.procedures.results import Outcome
from tocsin.procedures.tables import unhealthy_row
from tocsin.runbook.shell import last_words

Judgement = tuple[Outcome, str]


class HttpAnswer(Struct, frozen=True):
    """One transfer of curl: its HTTP status (0 when there was none) and address."""

    status: int
    url: str

    @classmethod
    def parse(cls, mark: str) -> HttpAnswer:
        status, _, url = mark.partition(" ")
        return cls(int(status) if status.isdigit() else 0, url.strip())


class Ending(Struct, frozen=True):
    """How a process ended: `exit_code` is None when none was started, negative after a signal.

    `breach` says what it used too much of, when it was stopped for that.
    """

    exit_code: int | None
    stdout: str
    stderr: str
    cut: int
    timed_out: bool
    answers: tuple[HttpAnswer, ...]
    breach: str = ""


_CLUSTER_ERROR = re.compile(
    r"^(?:error: .*|Error from server.*|Unable to connect to the server.*|The connection to the server .*)$",
    re.MULTILINE,
)
_INNER_EXIT = re.compile(r"command terminated with exit code (\d+)")
_ROLLOUT_STUCK = re.compile(r"exceeded its progress deadline|timed out waiting for the condition")
_DOWN = re.compile(r'"status"\s*:\s*"(DOWN|OUT_OF_SERVICE|UNHEALTHY|ERROR|FAIL(?:ED)?)"', re.IGNORECASE)
_PORT = re.compile(r"https?://[^\s'\"/]+:(\d+)")
# What listens there speaks no HTTP: any answer to curl at all means that it can be reached.
_NOT_HTTP = {"5432", "6379", "3306", "27017", "9092", "5672", "11211", "1433", "1521", "26379", "6432", "4222", "2181"}
_REACHABLE = {1, 8, 52, 56}
_CURL = {
    5: "the proxy's name could not be resolved",
    6: "the host's name could not be resolved",
    7: "the connection was refused",
    22: "the server answered with an error",
    28: "there was no answer in time",
    35: "the TLS handshake failed",
    52: "the server closed the connection without an answer",
    56: "the connection broke while reading",
    60: "the certificate is not valid",
}
_GREPS = {"grep", "egrep", "fgrep", "zgrep", "pgrep"}


def judge(command: str, ending: Ending, *, timeout: timedelta) -> Judgement:
    """The outcome and its reason. A bad answer counts for more than a good exit status."""
    if ending.timed_out:
        return Outcome.TIMED_OUT, f"it did not finish within {timeout.total_seconds():g} s and was stopped"
    if ending.exit_code is None:
        return Outcome.FAILED, _last_line(ending.stderr) or "no program was started"
    rules: tuple[Callable[[str, Ending, list[str]], Judgement | None], ...] = (
        _by_http_status, _by_rollout, _by_curl, _by_cluster_error, _by_program, _by_content, _by_exit,
    )  # fmt: skip
    words = list(last_words(command))
    found = (rule(command, ending, words) for rule in rules)
    return next(judgement for judgement in found if judgement is not None)


def _by_http_status(command: str, ending: Ending, words: list[str]) -> Judgement | None:
    for answer in ending.answers:
        if answer.status >= 400:
            return Outcome.UNHEALTHY, f"{answer.url or 'the server'} answered {answer.status}"
    alone = ending.stdout.strip().strip("'\"")
    if "http_code" in command and re.fullmatch(r"[45]\d\d", alone):
        return Outcome.UNHEALTHY, f"the server answered {alone}"
    return None


def _by_rollout(command: str, ending: Ending, words: list[str]) -> Judgement | None:
    if "rollout" in command and _ROLLOUT_STUCK.search(ending.stderr):
        return Outcome.UNHEALTHY, "the rollout did not finish in time"
    return None


def _by_curl(command: str, ending: Ending, words: list[str]) -> Judgement | None:
    """Every curl whose exit status is known: those in containers say it on stderr, the last one is the step's own."""
    if not re.search(r"\bcurl\b", command):
        return None
    codes = [int(code) for code in _INNER_EXIT.findall(ending.stderr)]
    if not codes and words[:1] == ["curl"] and ending.exit_code and not _CLUSTER_ERROR.search(ending.stderr):
        codes = [ending.exit_code]
    not_http = set(_PORT.findall(command)) & _NOT_HTTP
    for code in codes:
        if code in _CURL and not (not_http and code in _REACHABLE):
            return Outcome.UNHEALTHY, f"{_CURL[code]} (curl exit {code})"
    if codes and not_http and all(code in _REACHABLE for code in codes):
        return Outcome.OK, "it can be reached: it answers, in a protocol that is not HTTP"
    return None


def _by_cluster_error(command: str, ending: Ending, words: list[str]) -> Judgement | None:
    found = _CLUSTER_ERROR.search(ending.stderr)
    return (Outcome.FAILED, found[0].strip()) if found else None


def _by_program(command: str, ending: Ending, words: list[str]) -> Judgement | None:
    program, code = (words[0] if words else ""), ending.exit_code
    if program in _GREPS and code == 1 and not re.search(r"grep: ", ending.stderr):
        return Outcome.NOTHING_FOUND, f"{program} found no match"
    if program == "ping" and code in (1, 2):
        return Outcome.UNHEALTHY, _last_line(ending.stderr, "command terminated") or "there was no answer to ping"
    if program in ("nc", "ncat") and code == 1:
        return Outcome.UNHEALTHY, "the port cannot be reached"
    if program == "pg_isready" and code in (1, 2):
        return Outcome.UNHEALTHY, "PostgreSQL does not accept connections"
    if program == "systemctl" and code == 3:
        return Outcome.UNHEALTHY, "the unit is not running"
    return None


def _by_content(command: str, ending: Ending, words: list[str]) -> Judgement | None:
    if ending.exit_code != 0:
        return None
    if row := unhealthy_row(ending.stdout):
        return Outcome.UNHEALTHY, row
    if "curl" in command and (down := _DOWN.search(ending.stdout)):
        return Outcome.UNHEALTHY, f"the answer says its status is {down[1]}"
    if not ending.stdout.strip() and "No resources found" in ending.stderr:
        return Outcome.NOTHING_FOUND, "no resources were found"
    return None


def _by_exit(command: str, ending: Ending, words: list[str]) -> Judgement | None:
    code, program = ending.exit_code or 0, (words[0] if words else "the command")
    if code == 0:
        return Outcome.OK, "it finished without an error"
    if code == 127:
        return Outcome.FAILED, _last_line(ending.stderr) or f"{program} is not installed here"
    if code < 0 or code > 128:
        return Outcome.FAILED, f"{program} was ended by signal {-code if code < 0 else code - 128}"
    return Outcome.FAILED, _last_line(ending.stderr) or f"{program} ended with exit status {code}"


def _last_line(text: str, but: str = "\0") -> str:
    """The last line that says something, shortened; lines holding `but` are passed over."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and but not in line]
    return lines[-1][:300] if lines else ""
