"""`[sources.limits]`: the last request that is taken, the first that is not, and the words each sender understands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sites import SETTINGS, Site, refusal, webhook

from tocsin.incident.policy import Role
from tocsin.web.limits import Limits, Throttled

Opener = Callable[..., Awaitable[Site]]
NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)
THREE = f"{SETTINGS}\n[sources.limits]\nper_minute = 3\nsenders = {{datadog = 1}}\n"
GENERIC = {"title": "Checkout is down", "key": "checkout"}
EVENT = {"event_action": "trigger", "dedup_key": "k", "payload": {"summary": "x", "source": "y", "severity": "error"}}


def taken(limits: Limits, *, at: datetime = NOW, sender: str = "generic", who: str = "ci") -> bool:
    try:
        limits.take(sender, who, at)
    except Throttled:
        return False
    return True


def test_without_a_limit_everything_is_taken() -> None:
    limits = Limits()
    assert all(taken(limits) for _ in range(10_000))


def test_as_many_as_the_limit_says_are_taken_and_not_one_more() -> None:
    limits = Limits(3)
    assert [taken(limits) for _ in range(4)] == [True, True, True, False]


def test_one_more_is_taken_when_its_share_of_the_minute_has_passed_and_not_before() -> None:
    limits = Limits(3)
    assert [taken(limits) for _ in range(3)] == [True] * 3
    assert not taken(limits, at=NOW + timedelta(seconds=19.9))
    assert taken(limits, at=NOW + timedelta(seconds=20))
    assert not taken(limits, at=NOW + timedelta(seconds=20))


def test_who_is_refused_is_told_when_to_come_again() -> None:
    limits = Limits(3)
    for _ in range(3):
        limits.take("generic", "ci", NOW)
    with pytest.raises(Throttled) as refused:
        limits.take("generic", "ci", NOW)
    assert refused.value.seconds == 20
    assert taken(limits, at=NOW + timedelta(seconds=refused.value.seconds))


def test_senders_and_credentials_are_counted_apart() -> None:
    limits = Limits(1, {"datadog": 2})
    assert taken(limits)
    assert taken(limits, who="another")
    assert taken(limits, sender="grafana")
    assert not taken(limits)
    assert [taken(limits, sender="datadog") for _ in range(3)] == [True, True, False]


def test_a_clock_that_is_set_back_keeps_nobody_waiting() -> None:
    limits = Limits(1)
    assert taken(limits)
    assert taken(limits, at=NOW - timedelta(hours=1))


def test_of_ever_new_credentials_only_a_thousand_are_remembered() -> None:
    limits = Limits(1)
    assert all(taken(limits, who=str(n)) for n in range(3_000))
    assert len(limits._left) == 1_000
    assert not taken(limits, who="2999")


@given(st.integers(1, 50), st.lists(st.floats(0, 20, allow_nan=False), min_size=1, max_size=80))
def test_no_minute_takes_more_than_what_is_saved_up_and_what_trickles_in(most: int, pauses: list[float]) -> None:
    limits, at = Limits(most), NOW
    times = []
    for pause in pauses:
        at += timedelta(seconds=pause)
        if taken(limits, at=at):
            times.append(at)
    for begin in times:
        assert sum(begin <= t < begin + timedelta(minutes=1) for t in times) <= 2 * most


async def test_alertmanager_is_answered_503_which_makes_it_send_again(opener: Opener) -> None:
    site = await opener(settings=THREE)
    sender = await site.of(None, address="127.0.0.1")
    answers = [await sender.post("/api/v1/alerts/alertmanager", content=webhook("firing-group2")) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 503]
    refused = refusal(answers[3], 503)
    assert answers[3].headers["retry-after"] == "20"
    assert "more than 3 times a minute" in refused["detail"]
    site.clock.move(seconds=20)
    assert (await sender.post("/api/v1/alerts/alertmanager", content=webhook("firing-group2"))).status_code == 200


async def test_what_was_refused_was_not_stored(opener: Opener) -> None:
    site = await opener(settings=THREE)
    sender = await site.of(None, address="127.0.0.1")
    for number in range(5):
        await sender.post("/api/v1/alerts/generic", json=GENERIC | {"key": str(number)})
    assert len((await site.get("/alerts"))["alerts"]) == 3


async def test_pagerduty_is_answered_429_with_retry_after(opener: Opener) -> None:
    site = await opener(settings=THREE)
    event = EVENT | {"routing_key": site.token(Role.RESPONDER, "ci")}
    sender = await site.of(None)
    answers = [await sender.post("/v2/enqueue", json=event) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert answers[3].headers["retry-after"] == "20"
    assert answers[3].json()["status"] == "throttle exceeded"


async def test_opsgenie_is_answered_429_with_retry_after(opener: Opener) -> None:
    site = await opener(settings=THREE)
    key = {"Authorization": f"GenieKey {site.token(Role.RESPONDER, 'ci')}"}
    sender = await site.of(None)
    answers = [await sender.post("/v2/alerts", json={"message": "x"}, headers=key) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert answers[3].headers["retry-after"] == "20"


async def test_one_sender_may_have_a_limit_of_its_own(opener: Opener) -> None:
    site = await opener(settings=THREE)
    sender = await site.of(None, address="127.0.0.1")
    codes = [(await sender.post("/api/v1/alerts/datadog", json={"title": "x"})).status_code for _ in range(2)]
    assert codes == [200, 503]


async def test_nobody_unknown_uses_up_a_senders_limit(opener: Opener) -> None:
    site = await opener(settings=THREE, alert_token="the token")
    sender = await site.of(None)
    wrong = {"Authorization": "Bearer wrong"}
    for _ in range(5):
        assert (await sender.post("/api/v1/alerts/generic", json=GENERIC, headers=wrong)).status_code == 401
    right = {"Authorization": "Bearer the token"}
    assert (await sender.post("/api/v1/alerts/generic", json=GENERIC, headers=right)).status_code == 200
