from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorders import SmtpRecorder
from rigs import ANA, message, parsed

from tocsin.channels.email import Email, address, composed
from tocsin.channels.smtp import smtp_server
from tocsin.engine.ports import DeliveryError, Message, Recipient
from tocsin.oncall.roster import Person

SENDER = Address("Tocsin", "tocsin", "example.com")
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


def mail(of: Message) -> EmailMessage:
    """The mail as its reader's program understands it."""
    return parsed(composed(of, sender=SENDER, to=Address("Ana", "ana", "example.com"), at=NOW).as_bytes())


def html(of: Message) -> str:
    part = mail(of).get_body(("html",))
    assert part is not None
    return str(part.get_content())


async def failing(smtp: SmtpRecorder, *, url: str = "smtp://127.0.0.1:{port}", person: Person = ANA) -> DeliveryError:
    async with smtp:
        channel = Email(url.format(port=smtp.port), sender="tocsin@example.com")
        with pytest.raises(DeliveryError) as caught:
            await channel.deliver(message(to=Recipient("On-call", person)))
    return caught.value


def test_the_subject_names_level_number_and_title() -> None:
    assert mail(message(title="Výpadek"))["Subject"] == "[SEV1] #7 Výpadek"


def test_all_mails_of_an_incident_are_one_thread() -> None:
    page, update = mail(message(key="a")), mail(message(kind="update", to=None, key="b"))
    assert page["References"] == update["References"] == page["In-Reply-To"]
    assert page["Message-ID"] != update["Message-ID"]


def test_the_same_message_sent_twice_has_one_message_id() -> None:
    assert mail(message(key="a"))["Message-ID"] == mail(message(key="a", again=True))["Message-ID"]


def test_holiday_notices_are_kept_away_and_pages_are_important() -> None:
    assert mail(message())["Auto-Submitted"] == "auto-generated"
    assert mail(message())["Importance"] == "high"
    assert mail(message(kind="update"))["Importance"] is None


def test_a_page_has_a_button_and_an_update_has_none() -> None:
    assert '<a href="https://tocsin.example.com/a/signed"' in html(message())
    assert ">Acknowledge</a>" not in html(message(kind="update"))


def test_markup_is_shown_and_not_obeyed() -> None:
    shown = html(message("<script>alert(1)</script> ]]>", title="<b>x</b>", acknowledge='https://x/"onclick="y'))
    assert "<script>" not in shown
    assert "<b>" not in shown
    assert 'href="https://x/&quot;onclick=&quot;y"' in shown


def test_a_button_goes_to_the_web_or_nowhere() -> None:
    assert "javascript:" not in html(message(acknowledge="javascript:alert(1)"))


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_no_title_key_or_subject_can_add_a_header(title: str, key: str) -> None:
    expected = set(mail(message()).keys())
    assert (
        set(mail(message(title=title + "\r\nBcc: x@example.com", key=key + "\nBcc: y@example.com")).keys()) == expected
    )


@pytest.mark.parametrize("text", ["", "ana", "ana@", "@example.com", "a@b.c, d@e.f", "a@b.c\r\nBcc: d@e.f", "a b@c.d"])
async def test_a_person_whose_address_is_none_cannot_be_mailed_ever(text: str) -> None:
    error = await failing(SmtpRecorder(), person=Person(id="ana", name="Ana", email=text))
    assert (error.permanent, error.reason) == (True, "email: address of ana is not an e-mail address")


def test_an_address_may_carry_a_name() -> None:
    found = address('"Doe, Ana" <ana@example.com>', what="from")
    assert (found.display_name, found.addr_spec) == ("Doe, Ana", "ana@example.com")


def test_who_can_be_mailed() -> None:
    nobody = Recipient("CTO", Person(id="cyril", name="Cyril"))
    plain = Email("smtp://h", sender="t@example.com")
    teamed = Email("smtp://h", sender="t@example.com", team="team@example.com")
    assert [plain.accepts(m) for m in (message(), message(to=nobody), message(to=None))] == [True, False, False]
    assert [teamed.accepts(m) for m in (message(), message(to=nobody), message(to=None))] == [True, False, True]


@pytest.mark.parametrize(("reply", "permanent"), [("550 no such", True), ("451 grey", False), ("421 busy", False)])
async def test_a_refused_recipient_is_final_at_5xx_and_tried_again_at_4xx(reply: str, permanent: bool) -> None:
    smtp = SmtpRecorder()
    smtp.on_rcpt = reply
    error = await failing(smtp)
    assert (error.permanent, error.reason) == (permanent, f"email: recipient refused: {reply}")


async def test_nobody_listening_is_worth_another_try() -> None:
    async with SmtpRecorder() as smtp:
        port = smtp.port
    with pytest.raises(DeliveryError) as caught:
        await Email(f"smtp://127.0.0.1:{port}", sender="t@example.com").deliver(message())
    assert not caught.value.permanent


@pytest.mark.parametrize(("answers", "uncertain"), [(0, False), (1, False), (2, False), (3, False), (4, False),
                                                    (5, True)], ids=str)  # fmt: skip
async def test_a_connection_lost_before_the_text_is_certain_and_after_it_is_not(answers: int, uncertain: bool) -> None:
    smtp = SmtpRecorder()
    smtp.answers = answers
    error = await failing(smtp)
    assert (error.permanent, error.uncertain) == (False, uncertain)
    assert len(smtp.mails) == uncertain


async def test_a_connection_lost_within_the_text_may_have_been_taken() -> None:
    smtp = SmtpRecorder()
    smtp.leaves_at_text = True
    error = await failing(smtp)
    assert (error.permanent, error.uncertain) == (False, True)


@pytest.mark.parametrize("reply", ["451 later", "554 no", "421 going"])
async def test_a_text_that_was_refused_was_not_taken(reply: str) -> None:
    smtp = SmtpRecorder()
    smtp.on_data = reply
    assert not (await failing(smtp)).uncertain


async def test_a_stalled_conversation_ends_with_who_waited_for_it() -> None:
    stalled, over = asyncio.Event(), asyncio.Event()

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stalled.set()
        assert await reader.read() == b""  # comes back when the other side has hung up
        writer.close()
        await writer.wait_closed()
        over.set()

    server = await asyncio.start_server(stall, "127.0.0.1", 0)
    channel = Email(f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}", sender="t@example.com", timeout=3600)
    waiting = asyncio.create_task(channel.deliver(message()))
    await stalled.wait()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await over.wait()
    await channel.close()
    server.close()
    await server.wait_closed()


async def test_user_and_password_sign_in() -> None:
    async with SmtpRecorder(auth_require_tls=False) as smtp:
        url = f"smtp://tocsin%40example.com@127.0.0.1:{smtp.port}"
        await Email(url, sender="t@example.com", password="right").deliver(message())
    assert smtp.logins == [(b"tocsin@example.com", b"right")]
    assert smtp.recipients == ["ana@example.com"]


async def test_without_tls_a_password_stays_on_the_machine() -> None:
    smtp = SmtpRecorder(auth_require_tls=False)
    error = await failing(smtp, url="smtp://u:right@0.0.0.0:{port}")  # reaches loopback, yet is no loopback address
    assert error.permanent
    assert "offers no TLS" in error.reason
    assert (smtp.logins, smtp.mails) == ([], [])


async def test_a_wrong_password_is_final_and_not_shown() -> None:
    url = "smtp://tocsin:wrong-one@127.0.0.1:{port}"
    error = await failing(SmtpRecorder(auth_require_tls=False), url=url)
    assert error.permanent
    assert "wrong-one" not in error.reason


@pytest.mark.parametrize("url", [
    "", "mail:587", "http://u:pass@h", "smtp://", "smtp://u:pass@h:x", "smtp://u:pass@h?tls=yes", "smtp://h?verify=yes",
])  # fmt: skip
def test_a_server_address_that_is_none_is_refused_without_the_password(url: str) -> None:
    with pytest.raises(ValueError, match="email: smtp") as caught:
        smtp_server(url)
    assert "pass" not in str(caught.value).replace("user:password@", "")


def test_ports_follow_the_scheme_and_repr_hides_the_password() -> None:
    assert (smtp_server("smtp://h").port, smtp_server("smtps://h").port, smtp_server("smtp://h:587").port) == (
        25,
        465,
        587,
    )
    assert "pass" not in repr(Email("smtp://u:pass@h", sender="t@example.com"))


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's side of TLS with a certificate nobody vouches for."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    folder: Path = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {key} -out {certificate} -days 2 -subj /CN=127.0.0.1"
    subprocess.run(command.split(), check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


@pytest.mark.parametrize("kind", ["smtp", "smtps"])
async def test_tls_is_taken_when_offered(tls: ssl.SSLContext, kind: str) -> None:
    options = {"tls_context": tls} if kind == "smtp" else {"implicit_tls": tls}
    async with SmtpRecorder(**options) as smtp:
        url = f"{kind}://127.0.0.1:{smtp.port}?verify=no"
        await Email(url, sender="t@example.com").deliver(message())
    assert len(smtp.mails) == 1
    if kind == "smtp":
        assert smtp.over_tls == [True]


async def test_a_certificate_nobody_vouches_for_is_not_trusted(tls: ssl.SSLContext) -> None:
    smtp = SmtpRecorder(tls_context=tls)
    error = await failing(smtp, url="smtp://u:secret@127.0.0.1:{port}")
    assert "certificate verify failed" in error.reason
    assert (smtp.logins, smtp.mails) == ([], [])


async def test_starttls_can_be_declined(tls: ssl.SSLContext) -> None:
    async with SmtpRecorder(tls_context=tls) as smtp:
        await Email(f"smtp://127.0.0.1:{smtp.port}?starttls=no", sender="t@example.com").deliver(message())
    assert smtp.over_tls == [False]
