"""Alertmanager's bodies and manners, against bodies recorded from the real one."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tocsin.lab.alerting import NEVER, Alerting, Receiver, Rule, fingerprint, post, webhook_body
from tocsin.lab.errors import LabError

Recording = Callable[[str], dict[str, Any]]


class Intake(ThreadingHTTPServer):
    """A receiver that answers what it is told, in turn, and keeps what it got."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.bodies: list[dict[str, object]] = []
        self.headers: list[dict[str, str]] = []
        super().__init__(("127.0.0.1", 0), IntakeHandler)

    @property
    def url(self) -> str:
        """Where to post."""
        return f"http://127.0.0.1:{self.server_address[1]}/alerts"


class IntakeHandler(BaseHTTPRequestHandler):
    """Keeps the body, answers the next status."""

    server: Intake

    def do_POST(self) -> None:
        """Take a webhook."""
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.server.headers.append(dict(self.headers))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def intake() -> Iterator[Intake]:
    """A receiver on loopback."""
    with Intake() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def alert_of(body: dict[str, Any]) -> dict[str, Any]:
    """The body's first alert."""
    alert: dict[str, Any] = body["alerts"][0]
    return alert


def test_the_fingerprint_is_alertmanagers(recording: Recording) -> None:
    alert = alert_of(recording("am-webhook-firing-single-realuser-rule")["body"])
    assert fingerprint(alert["labels"]) == alert["fingerprint"]


@pytest.mark.parametrize(
    ("name", "ended_at"), [("am-webhook-firing-single-realuser-rule", None), ("am-webhook-resolved-single", 60.5)]
)
def test_a_body_has_exactly_the_fields_of_a_real_one(recording: Recording, name: str, ended_at: float | None) -> None:
    mine = webhook_body(0.4, rule=Rule(), started_at=0.25, ended_at=ended_at)
    theirs = recording(name)["body"]
    assert set(mine) == set(theirs)
    assert set(alert_of(mine)) == set(alert_of(theirs))
    assert mine["status"] == theirs["status"]
    assert alert_of(mine)["startsAt"] == "1970-01-01T00:00:00.250Z"
    assert alert_of(mine)["endsAt"] == (NEVER if ended_at is None else "1970-01-01T00:01:00.500Z")


def watch(intake: Intake, ratios: list[float], *, enough: int, repeat_s: float = 60.0) -> Alerting:
    """Alerting over the ratios, the last of which stays, until the intake has had enough bodies."""

    def ratio() -> float:
        return ratios.pop(0) if len(ratios) > 1 else ratios[0]

    alerting = Alerting(ratio, Receiver(intake.url, "s3cret"), rule=Rule(hold=0.0), poll_s=0.01, repeat_s=repeat_s)
    alerting.start()
    deadline = time.monotonic() + 10
    while len(intake.bodies) < enough and time.monotonic() < deadline:
        time.sleep(0.01)
    alerting.stop()
    return alerting


def test_it_fires_above_the_threshold_and_resolves_below(intake: Intake) -> None:
    watch(intake, [0.0, 0.4, 0.4, 0.0], enough=2)
    assert [body["status"] for body in intake.bodies] == ["firing", "resolved"]
    assert intake.headers[0]["Authorization"] == "Bearer s3cret"
    assert alert_of(intake.bodies[0])["startsAt"] == alert_of(intake.bodies[1])["startsAt"]


def test_the_threshold_itself_does_not_fire(intake: Intake) -> None:
    alerting = watch(intake, [0.05] * 10 + [0.051], enough=1)
    assert [status for status, _ in alerting.sent] == ["firing"]


def test_a_firing_group_is_sent_again_at_every_interval(intake: Intake) -> None:
    watch(intake, [0.4], enough=3, repeat_s=0.02)
    assert {body["status"] for body in intake.bodies} == {"firing"}


def test_a_server_error_is_tried_again_and_a_refusal_is_not(intake: Intake) -> None:
    intake.answers = [503, 200]
    assert watch(intake, [0.4], enough=2).sent == [("firing", 503), ("firing", 200)]
    intake.bodies.clear()
    intake.answers = [400]
    assert watch(intake, [0.4], enough=1).sent == [("firing", 400)]


def test_nothing_measured_neither_fires_nor_resolves(intake: Intake) -> None:
    asked = threading.Event()

    def ratio() -> float:
        asked.set()
        raise LabError("nothing answers")

    alerting = Alerting(ratio, Receiver(intake.url, "s3cret"), poll_s=0.01)
    alerting.start()
    assert asked.wait(5)
    alerting.stop()
    assert intake.bodies == []


def test_nobody_there_is_status_nought_and_https_is_refused() -> None:
    assert post(Receiver("http://127.0.0.1:9/x", "t"), {}) == 0
    with pytest.raises(LabError, match="must be http"):
        post(Receiver("https://127.0.0.1/x", "t"), {})


def test_the_token_is_not_shown() -> None:
    assert "s3cret" not in repr(Receiver("http://127.0.0.1/x", "s3cret"))
