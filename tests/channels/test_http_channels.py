from __future__ import annotations

import hashlib
import hmac
import logging
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from recorders import Answer, HttpRecorder
from rigs import ANA, message

from tocsin.channels.http import LONGEST_WAIT, retry_after
from tocsin.channels.slack import SECTIONS, Slack, linked, payload
from tocsin.channels.webhook import Webhook
from tocsin.engine.ports import Channel, DeliveryError, Message, Recipient
from tocsin.oncall.roster import Person

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


async def failing(answer: Answer, *, within: float = 10) -> DeliveryError:
    async with HttpRecorder(answer) as http:
        channel = Webhook(http.url, timeout=within)
        with pytest.raises(DeliveryError) as caught:
            await channel.deliver(message())
        await channel.close()
    return caught.value


async def sent(of: Message, *, secret: str | None = None) -> HttpRecorder:
    async with HttpRecorder() as http:
        channel: Channel = Webhook(http.url, secret=secret)
        await channel.deliver(of)
        await channel.close()
    return http


async def test_the_body_is_what_the_contract_says() -> None:
    (request,) = (await sent(message())).requests
    assert request.headers["idempotency-key"] == "inc1:page:0"
    assert request.json() == {
        "kind": "page",
        "idempotency_key": "inc1:page:0",
        "incident": {
            "id": "01abc", "number": 7, "title": "Backend 5xx rate", "severity": "SEV1", "status": "open",
            "link": "https://tocsin.example.com/incidents/7",
        },
        "to": {"role": "On-call", "person": "ana"},
        "subject": "On-call is paged",
        "text": "The backend answers 5xx.",
        "possible_duplicate": False,
        "acknowledge_url": "https://tocsin.example.com/a/signed",
    }  # fmt: skip


async def test_a_post_to_the_team_has_nobody_to_and_no_acknowledge_url() -> None:
    (request,) = (await sent(message(kind="update", to=None))).requests
    assert request.json()["to"] is None
    assert "acknowledge_url" not in request.json()


async def test_the_signature_is_the_hmac_of_the_very_bytes() -> None:
    (request,) = (await sent(message("Žluťoučký"), secret="s3")).requests
    expected = hmac.new(b"s3", request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-tocsin-signature"] == f"sha256={expected}"
    (unsigned,) = (await sent(message())).requests
    assert "x-tocsin-signature" not in unsigned.headers


@pytest.mark.parametrize(("status", "permanent"), [
    (400, True), (401, True), (404, True), (407, True), (408, False), (409, True), (410, True), (425, False),
    (429, False), (499, True), (500, False), (502, False), (503, False), (599, False),
])  # fmt: skip
async def test_a_status_says_whether_to_try_again(status: int, permanent: bool) -> None:
    assert (await failing(Answer(status))).permanent is permanent


@pytest.mark.parametrize(("status", "uncertain"), [(429, False), (500, False), (502, True), (503, False), (504, True)])
async def test_only_a_gateway_without_an_answer_leaves_it_open(status: int, uncertain: bool) -> None:
    assert (await failing(Answer(status))).uncertain is uncertain


@pytest.mark.parametrize("status", [200, 201, 202, 299])
async def test_every_2xx_is_delivered(status: int) -> None:
    async with HttpRecorder(Answer(status)) as http:
        channel = Webhook(http.url)
        await channel.deliver(message())
        await channel.close()


async def test_redirects_are_not_followed() -> None:
    async with HttpRecorder() as elsewhere:
        error = await failing(Answer(307, headers={"Location": elsewhere.url}))
        assert error.permanent
        assert "redirects are not followed" in error.reason
        assert elsewhere.requests == []


async def test_retry_after_is_handed_on() -> None:
    assert (await failing(Answer(429, headers={"Retry-After": "7"}))).retry_after == 7
    assert (await failing(Answer(503))).retry_after is None


async def test_an_answer_that_does_not_come_is_worth_another_try_and_may_have_been_taken() -> None:
    error = await failing(Answer(hang=True), within=0.5)
    assert error.uncertain
    assert (error.permanent, error.reason) == (False, "webhook: no answer within 0.5 s")


async def test_certificates_that_cannot_be_read_are_said_and_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    error = await failing(Answer())
    assert error.reason.startswith("webhook: the certificates to trust (SSL_CERT_FILE, SSL_CERT_DIR) cannot be read")
    assert not error.permanent
    assert not error.uncertain


async def test_what_the_other_side_said_is_told_on_one_short_line() -> None:
    error = await failing(Answer(400, b"bad\nfield \x1b[31m" + b"x" * 5000))
    assert error.reason.startswith("webhook: answered 400: bad field x")
    assert len(error.reason) < 250


async def test_nobody_listening_is_worth_another_try() -> None:
    async with HttpRecorder() as http:
        gone = http.url
    channel = Webhook(gone)
    with pytest.raises(DeliveryError) as caught:
        await channel.deliver(message())
    assert (caught.value.permanent, caught.value.uncertain) == (False, False)


async def test_the_log_does_not_hold_the_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with HttpRecorder() as http:
        channel = Slack(f"{http.url}/services/T0/B0/secret")
        await channel.deliver(message())
        await channel.close()
    assert "secret" not in caplog.text


@pytest.mark.parametrize(("said", "seconds"), [
    (None, None), ("", None), ("soon", None), ("0", 0), ("1.5", 1.5), ("-3", 0), ("3600", LONGEST_WAIT),
    ("3601", LONGEST_WAIT), ("nan", None), ("inf", None), (format_datetime(NOW.replace(minute=1), usegmt=True), 60),
    (format_datetime(NOW.replace(hour=8), usegmt=True), 0),
])  # fmt: skip
def test_retry_after_is_seconds_or_a_date(said: str | None, seconds: float | None) -> None:
    assert retry_after(said, NOW) == seconds


@pytest.mark.parametrize("url", ["", "hooks.example.com/x", "ftp://host/secret", "http://", "http://host:0/secret"])
def test_an_address_that_cannot_be_posted_to_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match="slack: url must begin") as caught:
        Slack(url)
    assert "secret" not in str(caught.value)


def texts(of: Message) -> list[str]:
    return [block["text"]["text"] for block in payload(of)["blocks"] if block["type"] == "section"]


def test_slack_pings_nobody_but_the_recipient() -> None:
    heading, body = texts(message("<!channel> @channel <@U999> & <#C1|x>", title="<!here> *bold*"))
    assert heading.startswith("<@U012ABC> (On-call): *[SEV1] #7 &lt;!here&gt; ")
    assert body.endswith("&lt;!channel&gt; @channel &lt;@U999&gt; &amp; &lt;#C1|x&gt;")
    assert payload(message())["link_names"] is False
    assert all(b["text"]["verbatim"] for b in payload(message())["blocks"] if b["type"] == "section")


@pytest.mark.parametrize("id_", ["!channel", "U1|x", "S0TEAM", "", None])
def test_a_slack_id_that_is_not_a_persons_is_not_mentioned(id_: str | None) -> None:
    who = Recipient("On-call", Person(id="ben", name="Ben <!here>", slack=id_))
    page, notice = message(to=who), message(kind="notify", to=who)
    assert texts(page)[0].startswith("Ben &lt;!here&gt; (On-call): *[SEV1]")
    assert (Slack("http://h").accepts(page), Slack("http://h").accepts(notice)) == (True, False)


def test_a_notice_to_a_person_slack_knows_is_taken() -> None:
    assert Slack("http://h").accepts(message(kind="notify", to=Recipient("CTO", ANA)))


def test_emoji_codes_of_templates_still_work() -> None:
    assert ":rotating_light: *Incident*" in texts(message(":rotating_light: *Incident*"))[1]


def test_only_a_page_has_an_acknowledge_button() -> None:
    def buttons(of: Message) -> list[tuple[str, str]]:
        (actions,) = [block for block in payload(of)["blocks"] if block["type"] == "actions"]
        return [(button["text"]["text"], button["url"]) for button in actions["elements"]]

    opened = ("Open incident", "https://tocsin.example.com/incidents/7")
    assert buttons(message()) == [("Acknowledge", "https://tocsin.example.com/a/signed"), opened]
    assert buttons(message(kind="update", to=None)) == [opened]


@pytest.mark.parametrize("line", ["x" * 10_000, "<&>" * 4000, "http://a " * 3000, "word\n" * 4000])
def test_a_long_text_stays_within_what_slack_takes(line: str) -> None:
    body = payload(message(line))
    sections = texts(message(line))
    assert all(len(text) <= 3000 for text in sections)
    assert len(sections) <= SECTIONS + 2
    assert len(body["text"]) <= 3000


@pytest.mark.parametrize(("written", "shown"), [
    ("see https://x.example/a?b=1&amp;c=2.", "see <https://x.example/a?b=1&amp;c=2>."),
    ("&lt;https://x.example/&gt;", "&lt;<https://x.example/>&gt;"),
    ("(http://x/y)", "(<http://x/y>)"),
    ("https:// nothing", "https:// nothing"),
])  # fmt: skip
def test_addresses_in_a_text_become_links(written: str, shown: str) -> None:
    assert linked(written) == shown


def test_a_second_try_says_that_it_may_be_one() -> None:
    assert texts(message(again=True))[0].endswith("(possibly sent before)")
