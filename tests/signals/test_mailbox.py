"""Mail over real SMTP: taken once it is durable, kept by its sender while it cannot be, refused when it is not ours."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from certificates import certified
from listening import SetClock, running, until

from tocsin.engine.errors import Unavailable
from tocsin.engine.intake import Receipt
from tocsin.incident.alert import Alert
from tocsin.signals.mailbox import Box, Mailbox, Posted
from tocsin.signals.restraint import EACH

BOX = Box(port=0, token="s3cret")
MAIL = b"Subject: Disk full\r\nFrom: cron@a.example\r\nMessage-ID: <1@a.example>\r\n\r\nsee above\r\n"
ALERTS = "alerts+s3cret@tocsin.example"


class Kept:
    """What was taken, by the id of its mail; `away` is the database's."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, Sequence[Alert]]] = []
        self.failure: Exception | None = None

    async def take(self, message_id: str, alerts: Sequence[Alert]) -> Sequence[Receipt]:
        if self.failure is not None:
            raise self.failure
        self.mails.append((message_id, alerts))
        return [Receipt(alert.fingerprint, "opened", 1) for alert in alerts]


@asynccontextmanager
async def listening(box: Box = BOX, kept: Kept | None = None) -> AsyncIterator[tuple[Mailbox, Kept]]:
    kept = kept or Kept()
    mailbox = Mailbox(box, kept.take, clock=SetClock())
    async with running(mailbox.run()):
        await until(lambda: mailbox.port)
        yield mailbox, kept


async def send(mailbox: Mailbox, to: str = ALERTS, mail: bytes = MAIL, sender: str = "cron@a.example") -> int:
    """The status that a sender is answered with."""

    def speak() -> int:
        with smtplib.SMTP("127.0.0.1", mailbox.port, timeout=20) as smtp:
            try:
                smtp.sendmail(sender, [to], mail)
            except smtplib.SMTPRecipientsRefused as refused:
                return int(refused.recipients[to][0])
            except smtplib.SMTPResponseException as refused:
                return int(refused.smtp_code)
        return 250

    return await asyncio.to_thread(speak)


async def test_a_mail_to_the_alerts_address_is_handed_over_before_it_is_taken() -> None:
    async with listening() as (mailbox, kept):
        assert await send(mailbox) == 250
    ((message_id, (alert,)),) = kept.mails
    assert (message_id, alert.labels["alertname"], alert.source) == ("<1@a.example>", "Disk full", "email")


@pytest.mark.parametrize(("failure", "status"), [(Unavailable("away"), 451), (OSError("odd"), 451)])
async def test_a_mail_that_cannot_be_stored_stays_with_its_sender(failure: Exception, status: int) -> None:
    async with listening() as (mailbox, kept):
        kept.failure = failure
        assert await send(mailbox) == status
        kept.failure = None
        assert await send(mailbox) == 250
    assert len(kept.mails) == 1


@pytest.mark.parametrize(
    ("to", "status"),
    [("Alerts+s3cret@x.example", 250), ("alerts+S3CRET@x.example", 550), ("alerts@x.example", 550),
     ("alerts+@x.example", 550), ("other+s3cret@x.example", 550), ("reports@x.example", 250), ("postmaster", 550)],
)  # fmt: skip
async def test_only_our_addresses_are_taken_and_alerts_with_the_token_alone(to: str, status: int) -> None:
    async with listening() as (mailbox, _):
        assert await send(mailbox, to) == status


async def test_only_our_domains_are_taken_where_they_are_named() -> None:
    async with listening(msgspec.structs.replace(BOX, domains=("ours.example",))) as (mailbox, _):
        assert await send(mailbox, "alerts+s3cret@OURS.example") == 250
        assert await send(mailbox, "alerts+s3cret@theirs.example") == 550


async def test_without_a_token_this_machine_may_send() -> None:
    async with listening(msgspec.structs.replace(BOX, token="")) as (mailbox, _):
        assert await send(mailbox, "alerts@x.example") == 250


async def test_a_mail_that_is_too_large_is_a_552() -> None:
    async with listening(msgspec.structs.replace(BOX, largest=20_000)) as (mailbox, kept):
        assert await send(mailbox, mail=MAIL + (b"x" * 70 + b"\r\n") * 270) == 250
        assert await send(mailbox, mail=MAIL + (b"x" * 70 + b"\r\n") * 300) == 552
    assert len(kept.mails) == 1


async def test_a_mail_that_cannot_be_read_is_refused_for_good() -> None:
    async with listening() as (mailbox, kept):
        assert await send(mailbox, mail=b"\r\nno subject\r\n") == 554
    assert kept.mails == []


async def test_a_persons_mail_is_a_report_and_few_of_a_stranger_are_taken() -> None:
    person = MAIL.replace(b"cron@", b"ana@")
    async with listening() as (mailbox, kept):
        said = [await send(mailbox, "reports@x.example", person) for _ in range(EACH + 1)]
        assert said == [250] * EACH + [450]
        assert await send(mailbox, "reports+s3cret@x.example", person) == 250
    assert {alert.source for _, (alert,) in kept.mails} == {"report"}
    assert kept.mails[0][1][0].annotations["reporter"] == "ana@a.example"


async def test_reports_are_not_taken_from_strangers_where_they_are_not_public() -> None:
    async with listening(msgspec.structs.replace(BOX, public_reports=False)) as (mailbox, _):
        assert await send(mailbox, "reports@x.example") == 550
        assert await send(mailbox, "reports+s3cret@x.example") == 250


@pytest.mark.parametrize(
    ("header", "to", "sender"),
    [
        (b"Auto-Submitted: auto-replied", ALERTS, "a@x.example"),
        (b"X-Tocsin-Idempotency-Key: 1:page", ALERTS, "a@x.example"),
        (b"Auto-Submitted: auto-generated", "reports@x.example", "a@x.example"),
        (b"X: bounce", "reports@x.example", ""),
    ],
)
async def test_machines_that_answer_open_nothing(header: bytes, to: str, sender: str) -> None:
    async with listening() as (mailbox, kept):
        assert await send(mailbox, to, header + b"\r\n" + MAIL, sender) == 250
    assert kept.mails == []


async def test_with_a_certificate_starttls_is_spoken(tmp_path: Path) -> None:
    files = certified(tmp_path)
    box = msgspec.structs.replace(BOX, certificate=files.certificate, key=files.key)

    def speak(port: int) -> Any:
        context = ssl.create_default_context(cafile=str(files.certificate))
        with smtplib.SMTP("localhost", port, timeout=20) as smtp:
            smtp.starttls(context=context)
            return smtp.sendmail("a@x.example", [ALERTS], MAIL)

    async with listening(box) as (mailbox, kept):
        assert await asyncio.to_thread(speak, mailbox.port) == {}
    assert len(kept.mails) == 1


async def test_more_connections_than_can_be_held_are_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.signals.mailbox.MOST_CONNECTIONS", 1)
    async with listening() as (mailbox, _):
        held, writer = await asyncio.open_connection("127.0.0.1", mailbox.port)
        assert (await held.readline()).startswith(b"220")
        other, second = await asyncio.open_connection("127.0.0.1", mailbox.port)
        assert (await other.read()).startswith(b"421")
        second.close()
        writer.close()


@pytest.mark.parametrize(
    "garbage", [b"\x00\xff\n" * 100, b"GET / HTTP/1.1\r\n\r\n", b"A" * 100_000, b"DATA\r\nRSET\r\nBDAT 5\r\n"]
)
async def test_what_speaks_no_smtp_does_no_harm(garbage: bytes) -> None:
    async with listening() as (mailbox, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", mailbox.port)
        writer.write(garbage)
        writer.write_eof()
        await reader.read()
        writer.close()
        assert await send(mailbox) == 250


async def test_a_certificate_that_cannot_be_read_is_trouble_and_no_end(tmp_path: Path) -> None:
    troubles: list[tuple[str, str | None]] = []
    box = msgspec.structs.replace(BOX, certificate=tmp_path / "none", key=tmp_path / "none")
    mailbox = Mailbox(box, Kept().take, clock=SetClock(), on_trouble=lambda name, why: troubles.append((name, why)))
    async with running(mailbox.run()) as task:
        await until(lambda: troubles)
        assert not task.done()
    assert troubles == [("email", "mail cannot be listened for: No such file or directory")]
    assert "s3cret" not in repr(BOX)


async def test_each_mail_is_told_with_its_answer_and_without_a_token() -> None:
    told, kept = list[Posted](), Kept()
    mailbox = Mailbox(BOX, kept.take, clock=SetClock(), on_mail=told.append)
    async with running(mailbox.run()):
        await until(lambda: mailbox.port)
        await send(mailbox, mail=b"To: " + ALERTS.encode() + b"\r\n" + MAIL)
        await send(mailbox, to="alerts+wrong-t0ken@tocsin.example")
        kept.failure = Unavailable("away")
        await send(mailbox)
    assert [(one.sender, one.to, one.status) for one in told] == [
        ("cron@a.example", "alerts", 250),
        ("cron@a.example", "alerts@tocsin.example", 550),
        ("cron@a.example", "alerts", 451),
    ]
    assert b"Subject: Disk full" in told[0].raw
    assert [r.outcome for r in told[0].receipts] == ["opened"]
    assert all(secret not in repr(told) for secret in ("s3cret", "wrong-t0ken"))


DEEP = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(3000))
GARBAGE = (
    b"", b"\x00\xff\xfe", b"Subject: \xff\xfe\xfd\r\n\r\n\xff", b"Subject: =?utf-8?b?/////w==?=\r\n\r\nx",
    b"Subject: =?no-such-charset?q?x?=\r\n\r\nx", b"Content-Type: text/plain; charset=nope\r\nSubject: x\r\n\r\n\xff",
    b"Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!", b"Subject: x\r\n" + DEEP,
    b"Subject: " + b"x" * 900_000, b"Subject: x\r\nDate: nonsense\r\nFrom: @@@\r\n\r\n<table><tr><td",
)  # fmt: skip


@pytest.mark.parametrize("number", range(len(GARBAGE)))
async def test_whatever_is_mailed_is_taken_or_refused_and_never_breaks(
    number: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening() as (mailbox, _):
        said = await send(mailbox, mail=GARBAGE[number])
        assert said in (250, 500, 552, 554), "never a 451: its sender would try for days"
        assert await send(mailbox) == 250
    assert not caplog.records
