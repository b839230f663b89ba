import pytest

from tocsin.procedures.capture import Capture
from tocsin.procedures.redaction import clean, redact, redactor

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"token is {JWT} ok", JWT),
        ("Authorization: Bearer abc.def-123", "abc.def-123"),
        ("a bearer 0123456789", "0123456789"),
        ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("postgres://app:hunter2@db:5432/x", "hunter2"),
        ("DB_PASSWORD=hunter2", "hunter2"),
        ("password: hunter2", "hunter2"),
        ('{"client_secret": "hunter2"}', "hunter2"),
        ("API_KEY='hunter 2'", "hunter 2"),
        ("MYSQL_PWD=hunter2", "hunter2"),
        ("id AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
        ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalrXUtnFEMI"),
        ("ghp_0123456789abcdefghij", "ghp_0123"),
        (KEY, "MIIEow"),
        ('"key": "-----BEGIN PRIVATE KEY-----\\nMIIEow\\n-----END PRIVATE KEY-----"', "MIIEow"),
        ("tls.key: LS0tLS1CRUdJTiBSU0E=", "LS0tLS1CRUdJTiBSU0E"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEow", "MIIEow"),
        ("MIIEow\n-----END PRIVATE KEY-----\nok", "MIIEow"),
    ],
)
def test_a_secret_is_taken_out(text: str, secret: str) -> None:
    assert secret not in redact(text)
    assert "[redacted" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "backend-7d9f8c 1/1 Running",
        "image: app@sha256:" + "0a" * 32,
        "commit " + "0a1b2c3d4e" * 4,
        "https://a.example/b?c=d",
        "DB_PASSWORD:  <set to the key 'p' in secret 'db'>",
        "secretKeyRef:\n  name: db",
        "-----BEGIN CERTIFICATE-----\nMII",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_the_settings_own_secrets_are_known() -> None:
    hide = redactor({"PGPASSWORD": "sesame-street", "NAMESPACE": "production"})
    assert hide("it is sesame-street in production") == "it is [redacted] in production"


def test_escape_codes_and_direction_marks_are_taken_out() -> None:
    text = "\x1b[31mred\x1b[0m \x1b]0;title\x07\x1b]8;;http://x\x1b\\link\x1b(B \x00a\u202eb\rover\r\n\tend"
    assert clean(text) == "red link ab\nover\n\tend"


@pytest.mark.parametrize("secret", [JWT, "DB_PASSWORD=hunter2-hunter2", KEY, "\x1b[31mToken: hunter2-hunter2\x1b[0m"])
def test_a_secret_split_over_two_reads_is_taken_out_wherever_the_split_is(secret: str) -> None:
    data = f"before\n{secret}\nafter\n".encode()
    for at in range(len(data)):
        capture = Capture(cap=10_000, marker="@@")
        shown: list[str] = []
        capture = Capture(cap=10_000, marker="@@", show=shown.append)
        capture.feed(data[:at])
        capture.feed(data[at:])
        text, _ = capture.finish()
        assert text == "".join(shown)
        assert text.startswith("before\n")
        assert text.endswith("\nafter\n")
        assert not any(part in text for part in ("dozjgNryP4J3", "hunter2", "MIIEow", "\x1b"))


def test_the_middle_of_a_long_stream_is_left_out_and_counted() -> None:
    capture = Capture(cap=1000, marker="@@")
    for number in range(10_000):
        capture.feed(f"line {number}\n".encode())
    text, cut = capture.finish()
    assert text.startswith("line 0\n")
    assert text.endswith("line 9999\n")
    assert f"[... {cut} characters left out ...]" in text
    assert len(text) < 10_000 < cut


def test_a_stream_that_fits_is_kept_whole() -> None:
    capture = Capture(cap=20, marker="@@")
    capture.feed(b"0123456789abcdefghij")
    assert capture.finish() == ("0123456789abcdefghij", 0)


def test_a_secret_in_the_tail_is_taken_out_even_if_its_key_was_cut_in_two() -> None:
    capture = Capture(cap=2000, marker="@@")
    capture.feed(b"x\n" * 5000 + f"DB_PASSWORD=hunter2\n{JWT}\n".encode() + KEY.encode() + b"\nend\n")
    text, _ = capture.finish()
    assert "hunter2" not in text
    assert "dozjgNryP4J3" not in text
    assert "MIIEow" not in text
    assert text.endswith("end\n")


def test_a_line_without_an_end_is_bounded_and_still_redacted() -> None:
    capture = Capture(cap=400_000, marker="@@")
    capture.feed(b"a " * 40_000 + b"DB_PASSWORD=hunter2 " + b"b " * 40_000)
    text, _ = capture.finish()
    assert "hunter2" not in text


@pytest.mark.parametrize("ended", [True, False])
def test_a_private_key_of_any_length_is_held_in_little_memory_and_never_shown(ended: bool) -> None:
    capture = Capture(cap=10_000_000, marker="@@")
    capture.feed(b"before\n-----BEGIN PRIVATE KEY-----\n")
    for _ in range(10_000):
        capture.feed(b"MIIEow" * 10 + b"\n")
    capture.feed(b"-----END PRIVATE KEY-----\nafter\n" if ended else b"")
    text, _ = capture.finish()
    assert text.split() == ["before", "[redacted", "private", "key]", *(["after"] if ended else [])]


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    capture = Capture(cap=100, marker="@@")
    capture.feed(b"caf\xc3")
    capture.feed(b"\xa9 \xff\n")
    assert capture.finish()[0] == "café \ufffd\n"


def test_the_runners_own_marks_are_not_output() -> None:
    capture = Capture(cap=100, marker="@@")
    capture.feed(b"a\n@@ 503 http://x\nb\n")
    assert capture.finish()[0] == "a\nb\n"
    assert capture.marks == ["503 http://x"]
