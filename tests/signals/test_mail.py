"""E-mail as an alert or a report: Alertmanager's, any monitor's, anybody's, and what is no mail at all."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.incident.alert import Alert, AlertStatus
from tocsin.signals import mail
from tocsin.signals.errors import SignalError

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
RECORDED = Path(__file__).parents[1] / "fixtures" / "mail"


def recorded(name: str) -> bytes:
    """A mail as Alertmanager sent it."""
    raw: str = json.loads((RECORDED / f"{name}.json").read_bytes())["raw"]
    return raw.encode()


def written(subject: str, body: str = "", **headers: str) -> bytes:
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = headers.pop("sender", "Nagios <nagios@mon.example>")
    message["Date"] = "Mon, 23 Nov 2026 08:30:00 +0000"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(body or "nothing more")
    return message.as_bytes()


def alert(subject: str, **headers: str) -> Alert:
    (found,) = mail.decode(written(subject, **headers), at=NOW)
    return found


def test_alertmanagers_listing_gives_each_alert_with_its_labels() -> None:
    first, second = mail.decode(recorded("email-firing-group2"), at=NOW)
    assert (first.labels["path"], second.labels["path"]) == ("/api/cart", "/api/checkout")
    assert (first.labels["service"], first.labels["severity"], len(first.labels)) == ("qawave", "critical", 8)
    assert first.summary == "5xx above 5% on qawave/api/cart"
    assert first.generator_url.startswith("http://vm:9090/graph?g0.expr=sum+by+%28job%2C")
    assert (first.status, first.starts_at) == (AlertStatus.FIRING, datetime(2026, 11, 23, 7, 29, 55, tzinfo=UTC))
    assert first.fingerprint != second.fingerprint


def test_alertmanagers_end_is_the_end_of_the_same_alert() -> None:
    over = recorded("email-resolved")
    (ended,) = mail.decode(over, at=NOW)
    (began,) = mail.decode(over.replace(b"[1] Resolved", b"[1] Firing"), at=NOW)
    assert (ended.status, began.status) == (AlertStatus.RESOLVED, AlertStatus.FIRING)
    assert ended.fingerprint == began.fingerprint
    assert ended.ends_at == ended.starts_at


def test_a_mail_of_both_says_which_is_which() -> None:
    both = recorded("email-firing-group2")
    at = both.rindex(b"alertname =3D HighErrorRate")
    row = both.rindex(b"<strong", 0, at)
    one, two = mail.decode(both[:row] + b"<p>[1] Resolved</p>" + both[row:], at=NOW)
    assert (one.status, two.status) == (AlertStatus.FIRING, AlertStatus.RESOLVED)


@pytest.mark.parametrize(
    ("trouble", "over", "title", "severity"),
    [
        ("** PROBLEM Service Alert: h1/HTTP is CRITICAL **", "** RECOVERY Service Alert: h1/HTTP is OK **",
         "Service h1/HTTP", "critical"),
        ("Problem: Disk full on db", "Resolved in 5m 3s: Disk full on db", "Disk full on db", None),
        ("DOWN alert: shop is DOWN", "UP alert: shop is UP", "shop", None),
        ("Monitor is DOWN: Shop", "Monitor is UP: Shop", "Monitor Shop", None),
        ("[Triggered] CPU > 90", "[Recovered] CPU > 90", "CPU > 90", None),
        ('ALARM: "cpu" in EU', 'OK: "cpu" in EU', '"cpu" in EU', None),
        ("Backup WARNING", "Backup back to normal", "Backup", "warning"),
    ],
)  # fmt: skip
def test_the_subject_names_the_alert_and_says_how_it_stands(
    trouble: str, over: str, title: str, severity: str | None
) -> None:
    began, ended = alert(trouble), alert(over)
    assert (began.labels["alertname"], began.labels.get("severity")) == (title, severity)
    assert (began.status, ended.status) == (AlertStatus.FIRING, AlertStatus.RESOLVED)
    assert began.fingerprint == ended.fingerprint


def test_the_sender_and_the_list_tell_alerts_of_one_subject_apart() -> None:
    first, again, other = alert("Disk"), alert("Re: Disk"), alert("Disk", sender="cron@b.example")
    assert first.fingerprint == again.fingerprint != other.fingerprint
    listed = alert("Disk", sender="cron@b.example", List_Id="<ops.lists.example>")
    assert listed.fingerprint == alert("Disk", sender="cron@c.example", List_Id="<ops.lists.example>").fingerprint
    assert (listed.labels["from"], listed.labels["list"]) == ("cron@b.example", "<ops.lists.example>")


def test_a_mail_begins_when_it_was_written_unless_its_clock_is_wrong() -> None:
    assert alert("Disk").starts_at == datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
    for nonsense in ("Mon, 23 Nov 2026 09:00:01 +0000", "Mon, 2 Nov 2026 08:00:00 +0000", "soon"):
        body = written("Disk").replace(b"Mon, 23 Nov 2026 08:30:00 +0000", nonsense.encode())
        assert mail.decode(body, at=NOW)[0].starts_at == NOW


def test_a_persons_mail_is_a_report_in_their_words() -> None:
    found = mail.report(
        mail.read(written("Fwd: Login fails", "blank page\n", sender="Ana Novak <ana@x.example>"), at=NOW)
    )
    assert (found.summary, found.source) == ("Login fails", "report")
    assert found.annotations["reporter"] == "Ana Novak <ana@x.example>"
    assert found.annotations["description"] == "blank page"


@pytest.mark.parametrize(("subject", "service"), [("Checkout-API is slow", "checkout-api"), ("checkout is slow", None)])
def test_a_report_is_about_the_service_that_its_subject_names(subject: str, service: str | None) -> None:
    found = mail.report(mail.read(written(subject), at=NOW), services=("search", "checkout-api"))
    assert found.labels.get("service") == service


@pytest.mark.parametrize(
    ("headers", "automatic", "answers"),
    [({}, False, False), ({"Auto_Submitted": "auto-replied"}, True, True), ({"Auto_Submitted": "no"}, False, False),
     ({"Auto_Submitted": "auto-generated"}, True, False), ({"Precedence": "bulk"}, True, False)],
)  # fmt: skip
def test_what_a_machine_wrote_is_known(headers: dict[str, str], automatic: bool, answers: bool) -> None:
    letter = mail.read(written("Away", **headers), at=NOW)
    assert (letter.automatic, letter.answers) == (automatic, answers)


def test_a_line_break_smuggled_into_a_header_is_a_space() -> None:
    raw = b"Subject: =?utf-8?q?Disk=0D=0ABcc:_x=40y=00?= full\r\nFrom: =?utf-8?q?a=0Ab?= <a@b.example>\r\n\r\nx"
    letter = mail.read(raw, at=NOW)
    assert letter.subject == "Disk Bcc: x@y full"
    assert letter.name == "a b"


@pytest.mark.parametrize(
    "raw",
    ["Subject: Störung in Köln\r\n\r\nx".encode(), "Subject: Störung in Köln\r\n\r\nx".encode("latin-1"),
     b"Subject: =?iso-8859-1?q?St=F6rung_in_K=F6ln?=\r\n\r\nx", b"Subject: =?x-no-such?q?St?= =?utf-8?b?!!!?=\r\n\r\n"],
)  # fmt: skip
def test_a_subject_in_any_bytes_is_read(raw: bytes) -> None:
    assert mail.read(raw, at=NOW).subject.startswith("St")


@pytest.mark.parametrize("raw", [b"", b"\x00" * 500, b"\xff\xfe", b"no header at all", b"Subject:   \r\n\r\nx"])
def test_a_mail_without_a_subject_is_refused(raw: bytes) -> None:
    with pytest.raises(SignalError, match="Subject"):
        mail.decode(raw, at=NOW)


def test_parts_nested_without_end_are_refused_or_read_but_do_no_harm() -> None:
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(2000))
    with suppress(SignalError):
        assert mail.decode(b"Subject: x\r\n" + nested, at=NOW)


@pytest.mark.parametrize(
    "markup", ["<" * 1_000_000, "<a href='" * 100_000, "<!--" * 250_000, "&" * 1_000_000, "<p>x" * 100_000]
)
def test_a_megabyte_of_broken_markup_costs_little(markup: str) -> None:
    body = b"Subject: x\r\nContent-Type: text/html\r\n\r\n" + markup.encode()
    assert mail.decode(body, at=NOW)[0].labels["alertname"] == "x"


def test_of_five_megabytes_the_first_is_read() -> None:
    body = b"Subject: x\r\nContent-Type: text/html\r\n\r\n" + b"<br>line\r\n" * 500_000
    (found,) = mail.decode(body, at=NOW)
    assert found.annotations["description"].startswith("line\nline")


HEADERS = st.sampled_from(
    [b"Subject: ", b"From: ", b"Date: ", b"List-Id: ", b"Content-Type: multipart/mixed; boundary=",
     b"Content-Transfer-Encoding: ", b"Content-Type: text/html; charset="]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(pieces=st.lists(st.tuples(HEADERS, st.binary(max_size=20)), max_size=8), body=st.binary(max_size=80))
def test_no_mail_whatever_is_more_than_refused(pieces: list[tuple[bytes, bytes]], body: bytes) -> None:
    raw = b"".join(name + value.replace(b"\n", b" ") + b"\r\n" for name, value in pieces) + b"\r\n" + body
    with suppress(SignalError):
        for found in mail.decode(raw, at=NOW):
            assert found.labels["alertname"]
            assert not any(c in found.labels["alertname"] for c in "\r\n\x00")
