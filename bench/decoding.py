"""How long the senders' modules take to decode an alert, on one thread; the target is 20,000 alerts a second.

From bodies of 50 where a sender puts several in one, else from 50 bodies. The yardstick is the bare parse of the JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from email import message_from_bytes
from pathlib import Path

import msgspec

from bench.figures import Figure, Yardstick, median

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "fixtures"))  # the examples that the contract test holds every sender to

from senders import AT, SENDERS, Sender, mail_of, recorded  # noqa: E402

from tocsin.signals import alertmanager, mail, mapped, opsgenie, pagerduty  # noqa: E402

BODY = 50
ROUNDS = 40
TARGET_US = 50.0
MAIL_TARGET_US = 1000.0


def measure() -> list[Figure]:
    figures = [_figure(sender.name, sender.decode, _bodies(sender)) for sender in SENDERS]
    return [*figures, *_recorded(), _mapped(), _mailed()]


def _bodies(sender: Sender) -> list[bytes]:
    """Bodies that hold 50 alerts together."""
    if sender.many is not None:
        return [json.dumps(sender.many(BODY)).encode()]
    return [json.dumps(sender.fires).encode()] * BODY


def _recorded() -> list[Figure]:
    """Bodies as real senders wrote them: longer labels, longer texts."""
    storm = recorded("alertmanager/am-webhook-firing-storm60")
    storm["alerts"] = storm["alerts"][:BODY]
    posted = [{key: a[key] for key in ("labels", "annotations", "startsAt")} for a in storm["alerts"]]
    event = json.dumps(recorded("senders/pagerduty-v2-trigger-group2")).encode()
    create = json.dumps(recorded("senders/opsgenie-create-group2")).encode()
    return [
        _figure("alertmanager, recorded", alertmanager.decode, [json.dumps(storm).encode()]),
        _figure(
            "alertmanager-api, recorded", lambda b: alertmanager.decode_api(b, at=AT), [json.dumps(posted).encode()]
        ),
        _figure("pagerduty, recorded", lambda b: pagerduty.decode(b, at=AT, minted="m"), [event] * BODY),
        _figure("opsgenie, recorded", lambda b: opsgenie.decode(b, at=AT, minted="m"), [create] * BODY),
    ]


def _mapped() -> Figure:
    expressions = mapped.Expressions("x", title="a.title", key="a.key", status="state", alerts="items")
    items = [{"a": {"title": "Down", "key": str(n)}, "state": "down"} for n in range(BODY)]
    body = json.dumps({"items": items}).encode()
    return _figure("mapped", lambda b: mapped.decode(b, expressions, at=AT), [body])


def _mailed() -> Figure:
    """A mail of 50 alerts is 194 kB of HTML: undoing its encoding alone takes longer than decoding 50 alerts of JSON.

    It is read in a thread, one at a time, as fast as its sender speaks SMTP.
    """
    body = mail_of(BODY)
    ours = _us(lambda b: mail.decode(b, at=AT), [body])
    bare = _us(lambda b: [part.get_payload(decode=True) for part in message_from_bytes(b).walk()], [body])
    return Figure("decoding, email, recorded", ours, "µs/alert", Yardstick("undoing MIME alone", bare), MAIL_TARGET_US)


def _figure(name: str, decode: Callable[[bytes], object], bodies: Sequence[bytes]) -> Figure:
    ours = _us(decode, bodies)
    bare = _us(msgspec.json.decode, bodies)
    return Figure(f"decoding, {name}", ours, "µs/alert", Yardstick("msgspec parse alone", bare), TARGET_US)


def _us(job: Callable[[bytes], object], bodies: Sequence[bytes]) -> float:
    """Microseconds an alert, the median over the rounds."""
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for body in bodies:
            job(body)
        taken.append((time.perf_counter() - begun) / BODY * 1e6)
    return median(taken)
