"""Only what a trusted topic signed is believed, and nobody but Amazon is asked for its certificate."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from recorders import Answer, HttpRecorder
from topics import CONFIRM, MESSAGE, NOW, PEM, TOPIC, Amazon, signed

from tocsin.signals.errors import SignalError
from tocsin.signals.sns_signature import Envelope, NotFetched, Verifier, fetched, signed_text


async def check(message: dict[str, Any], amazon: Amazon | None = None, at: datetime = NOW) -> Envelope:
    verifier = Verifier((TOPIC,), (amazon or Amazon()).fetch)
    return await verifier.check(json.dumps(message).encode(), at=at)


@pytest.mark.parametrize("version", ["1", "2"])
async def test_what_the_topic_signed_is_believed(version: str) -> None:
    assert (await check(signed(version))).Subject == "Disk"
    assert (await check(signed(version, Subject=None))).Message == "full ✓"


async def test_the_text_that_is_signed_is_as_amazon_writes_it() -> None:
    text = signed_text(msgspec.convert(signed(), Envelope)).decode()
    named = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
    assert text.split("\n") == [part for name in named for part in (name, MESSAGE[name])] + [""]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"Message": "nothing at all"}, "Signature"),
        ({"Subject": None}, "Signature"),
        ({"Signature": base64.b64encode(b"x" * 256).decode()}, "Signature"),
        ({"Signature": "no base64!"}, "Signature"),
        ({"SignatureVersion": "3"}, "SignatureVersion"),
        ({"TopicArn": TOPIC + "2"}, "TopicArn"),
        (
            {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-1.pem"},
            "SigningCertURL",
        ),
        ({"SigningCertURL": "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"}, "SigningCertURL"),
        (
            {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com@evil.example/SimpleNotificationService-1.pem"},
            "SigningCertURL",
        ),
        (
            {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com/../SimpleNotificationService-1.pem"},
            "SigningCertURL",
        ),
        ({"MessageId": 5}, "MessageId"),
    ],
)
async def test_anything_else_is_refused_by_its_field_and_nobody_else_is_asked(
    change: dict[str, Any], field: str
) -> None:
    amazon = Amazon()
    with pytest.raises(SignalError) as refused:
        await check(signed() | change, amazon)
    assert refused.value.field == field
    assert amazon.asked in ([], [PEM])


async def test_a_certificate_is_fetched_once() -> None:
    amazon = Amazon()
    verifier = Verifier((TOPIC,), amazon.fetch)
    for number in range(3):
        await verifier.check(json.dumps(signed(MessageId=f"m-{number}")).encode(), at=NOW)
    assert amazon.asked == [PEM]


async def test_an_amazon_that_cannot_be_reached_is_said_and_asked_again() -> None:
    amazon = Amazon()
    amazon.away = True
    with pytest.raises(NotFetched, match="cannot be reached"):
        await check(signed(), amazon)
    amazon.away = False
    assert await check(signed(), amazon)


async def test_a_certificate_that_has_ended_vouches_for_nothing() -> None:
    with pytest.raises(SignalError, match="not valid now"):
        await check(signed(), at=datetime(2100, 1, 1, tzinfo=UTC))


async def test_what_is_no_certificate_is_said() -> None:
    with pytest.raises(NotFetched, match="is none"):
        await check(signed(), Amazon(**{PEM: b"<html>"}))


async def test_a_subscription_is_confirmed_at_amazons_address_alone() -> None:
    amazon = Amazon()
    verifier = Verifier((TOPIC,), amazon.fetch)
    asks = signed(Type="SubscriptionConfirmation", SubscribeURL=CONFIRM, Token="ab12", Subject=None)
    await verifier.confirm(await verifier.check(json.dumps(asks).encode(), at=NOW))
    assert amazon.asked == [PEM, CONFIRM]
    lured = signed(Type="SubscriptionConfirmation", SubscribeURL="https://evil.example/", Token="ab12")
    with pytest.raises(SignalError, match="SubscribeURL"):
        await verifier.confirm(await verifier.check(json.dumps(lured).encode(), at=NOW))


async def test_fetching_follows_no_redirect_and_says_what_was_answered() -> None:
    async with HttpRecorder(Answer(200, b"pem"), Answer(302, headers={"Location": "http://evil.example"})) as http:
        assert await fetched(f"{http.url}/a.pem") == b"pem"
        with pytest.raises(NotFetched, match="answered 302"):
            await fetched(f"{http.url}/a.pem")
        gone = http.url
    with pytest.raises(NotFetched, match="cannot be reached"):
        await fetched(f"{gone}/a.pem")
