"""The few questions of `tocsin init`. An answer is taken or refused with one line that says how to give it; what is
taken is safe to stand in a TOML string, a Markdown table and a shell command. Writes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from tocsin.config.scalars import is_url
from tocsin.runbook import durations

CHANNELS = ("console", "email", "webhook")
LEVELS = ("SEV1", "SEV2", "SEV3")
_LONGEST = timedelta(days=7)
_LABEL = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")  # RFC 1035: fits a unit of systemd and Kubernetes alike
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]{1,200}(:[0-9]{1,5})?(/[A-Za-z0-9._/-]{0,200})?")
_HOOK = re.compile(r"https?://[A-Za-z0-9.-]{1,200}(:[0-9]{1,5})?([/?][A-Za-z0-9._~/?&=%+:-]{0,400})?")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,200}[A-Za-z0-9])?")
_MAIL_SERVER = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,200}[A-Za-z0-9])?:[0-9]{1,5}")
_NAME_REFUSED = re.compile(r"""["'`\\|<>@\[\]{}#*_]""")

Ask = Callable[[str], str]
"""Shows a question and gives back what was typed, as `input` does."""


class AnswerError(Exception):
    """An answer that cannot be taken; its text is the line to show."""


class Person(Struct, frozen=True):
    name: str
    email: str


class Answers(Struct, frozen=True):
    """What the starter files are written from; the defaults are what they say without an interview.

    `namespace` is empty when the service does not run in Kubernetes. `response` is the time to acknowledge, one for
    each of `LEVELS`.
    """

    service: str = "web"
    health: str = "http://127.0.0.1:8000/health"
    namespace: str = ""
    workload: str = ""
    response: tuple[timedelta, ...] = (timedelta(0), timedelta(minutes=15), timedelta(hours=1))
    on_call: Person = Person("Alex Example", "alex@example.com")
    lead: Person = Person("Robin Example", "robin@example.com")
    channel: str = "console"
    mail_server: str = "127.0.0.1:25"
    team: str = "team@example.com"
    hook: str = "https://hooks.example.com/tocsin"


def interview(ask: Ask, say: Callable[[str], None]) -> Answers:
    """The answers, each question asked until its answer can be taken; Enter takes the default in brackets."""
    say("Enter takes what stands in brackets; Ctrl-C leaves, and nothing is written.")
    put = _Questions(ask, say)
    plain = Answers()
    service = put("Name of the service", plain.service, label)
    health = put("Address of its health check", plain.health, address)
    namespace = put("Kubernetes namespace (none: it is a systemd unit)", "none", label)
    placed = Answers(service=service, health=health)
    if namespace != "none":
        workload = put("Deployment in that namespace", service, label)
        placed = replace(placed, namespace=namespace, workload=workload)
    response = _response(put, plain.response)
    on_call = _person(put, "Who is on call", plain.on_call)
    lead = _person(put, "Who is next, when on-call does not answer", plain.lead)
    return _channelled(put, replace(placed, response=response, on_call=on_call, lead=lead))


def label(text: str) -> str:
    if not _LABEL.fullmatch(text):
        raise AnswerError("write up to 40 small letters a-z, digits and hyphens, a letter first: checkout-api")
    return text


def address(text: str) -> str:
    if not _ADDRESS.fullmatch(text) or not is_url(text, "http", "https"):
        raise AnswerError("write an address like https://shop.example.com/health, without a query or a password")
    return text


def hook(text: str) -> str:
    if not _HOOK.fullmatch(text) or not is_url(text, "http", "https"):
        raise AnswerError("write an address like https://hooks.example.com/tocsin, without a password")
    return text


def email(text: str) -> str:
    if not _EMAIL.fullmatch(text):
        raise AnswerError("write an e-mail address like ana@example.com")
    return text


def mail_server(text: str) -> str:
    if not _MAIL_SERVER.fullmatch(text) or not is_url(f"smtp://{text}", "smtp"):
        raise AnswerError("write host and port, like mail.example.com:25; a user and a password go into the file later")
    return text


def name(text: str) -> str:
    """A person's name in any script; what could end a string or steer a terminal is refused."""
    if not 1 <= len(text) <= 60 or not text.isprintable() or _NAME_REFUSED.search(text):
        raise AnswerError("write a name of up to 60 characters, without quotes, pipes, backslashes or brackets")
    return text


def channel(text: str) -> str:
    if text.lower() not in CHANNELS:
        raise AnswerError(f"write one of {', '.join(CHANNELS)}")
    return text.lower()


def within(text: str) -> timedelta:
    """The length an answer states, in whole minutes up to a week."""
    stated = durations.parse(text)
    if stated is None or stated > _LONGEST or stated % timedelta(minutes=1):
        raise AnswerError("write a time of whole minutes, up to 7 days: Immediate, 15 min, 4 hours")
    return stated


class _Questions:
    """Asks one question until its answer can be taken; the default needs no taking."""

    def __init__(self, ask: Ask, say: Callable[[str], None]) -> None:
        self._ask, self._say = ask, say

    def __call__(self, question: str, default: str, taken: Callable[[str], str]) -> str:
        while True:
            try:
                given = self._ask(f"{question} [{default}]: ").strip()
                return taken(given) if given and given != default else default
            except UnicodeDecodeError:
                self._say("  That is not text in the terminal's encoding; try again.")
            except AnswerError as error:
                self._say(f"  Not taken: {error}.")


def _response(put: _Questions, usual: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
    """A lower level may not ask for more haste than the one above it: its default is then the time above."""
    times: list[timedelta] = []
    for level, default in zip(LEVELS, usual, strict=True):
        least = times[-1] if times else timedelta(0)

        def taken(text: str, least: timedelta = least) -> str:
            if (stated := within(text)) < least:
                raise AnswerError(f"write {durations.words(least)} or longer: the level above has that")
            return durations.words(stated)

        said = put(f"{level} is to be acknowledged within", durations.words(max(default, least)), taken)
        times.append(within(said))
    return tuple(times)


def _person(put: _Questions, question: str, usual: Person) -> Person:
    called = put(f"{question}: name", usual.name, name)
    return Person(called, put(f"E-mail of {called}", usual.email, email))


def _channelled(put: _Questions, answers: Answers) -> Answers:
    chosen = put(f"How messages reach the team ({', '.join(CHANNELS)})", answers.channel, channel)
    if chosen == "email":
        server = put("Mail server", answers.mail_server, mail_server)
        return replace(answers, channel=chosen, mail_server=server, team=put("The team's address", answers.team, email))
    if chosen == "webhook":
        return replace(answers, channel=chosen, hook=put("Address that takes the messages", answers.hook, hook))
    return answers
