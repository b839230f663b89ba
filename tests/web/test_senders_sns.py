"""Over HTTP: where topics are named, only what they signed opens an incident, and a subscription confirms itself."""

from __future__ import annotations

import json
from typing import Any, Protocol

import httpx
import pytest
from sites import SETTINGS, Site, refusal
from topics import CONFIRM, NOW, PEM, TOPIC, Amazon, signed

from tocsin.signals.sns_signature import Verifier

ADDRESS = "/api/v1/alerts/sns"
TOPICS = f'{SETTINGS}\n[sources.sns]\ntopics = ["{TOPIC}"]\n'


class Opener(Protocol):
    async def __call__(self, *, settings: str = SETTINGS, alert_token: str | None = None) -> Site: ...


@pytest.fixture
def amazon() -> Amazon:
    return Amazon()


@pytest.fixture
async def site(opener: Opener, amazon: Amazon) -> Site:
    site = await opener(settings=TOPICS)
    site.app.state.sns = Verifier((TOPIC,), amazon.fetch)
    site.clock.move(seconds=(NOW - site.clock.now()).total_seconds())
    return site


async def post(site: Site, message: dict[str, Any]) -> httpx.Response:
    return await (await site.of(None, address="127.0.0.1")).post(ADDRESS, content=json.dumps(message).encode())


async def test_what_the_topic_signed_opens_an_incident(site: Site) -> None:
    answer = await post(site, signed())
    assert [alert["outcome"] for alert in answer.json()["alerts"]] == ["opened"]


async def test_what_it_did_not_sign_is_refused_by_the_field_and_nothing_is_kept(site: Site) -> None:
    problem = refusal(await post(site, signed() | {"Message": "another"}), 400)
    assert [error["name"] for error in problem["errors"]] == ["Signature"]
    assert (await site.get("/alerts"))["alerts"] == []


async def test_while_amazon_cannot_be_asked_the_topic_is_to_send_again(site: Site, amazon: Amazon) -> None:
    amazon.away = True
    answer = await post(site, signed())
    assert "cannot be checked now: sns.eu-west-1.amazonaws.com" in refusal(answer, 503)["detail"]
    assert answer.headers["retry-after"]
    amazon.away = False
    assert (await post(site, signed())).status_code == 200


async def test_a_trusted_topics_subscription_confirms_itself_and_is_no_alert(site: Site, amazon: Amazon) -> None:
    asks = signed(Type="SubscriptionConfirmation", SubscribeURL=CONFIRM, Token="ab12", Subject=None)
    assert (await post(site, asks)).json() == {"alerts": []}
    assert amazon.asked == [PEM, CONFIRM]


async def test_the_end_of_a_subscription_is_taken_and_nothing_is_fetched_for_it(site: Site, amazon: Amazon) -> None:
    ends = signed(Type="UnsubscribeConfirmation", SubscribeURL=CONFIRM, Token="ab12", Subject=None)
    assert (await post(site, ends)).json() == {"alerts": []}
    assert amazon.asked == [PEM]


@pytest.mark.parametrize("message", [{}, {"Type": "Notification", "Message": "x", "TopicArn": TOPIC}])
async def test_a_message_without_a_signature_is_refused(site: Site, message: dict[str, Any]) -> None:
    refusal(await post(site, message), 400)
