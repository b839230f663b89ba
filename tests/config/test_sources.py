"""The sources' tables: what they hold, and that a wrong one is refused by name with a remedy."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tocsin.config import Settings, SettingsError
from tocsin.config.scalars import host_port

Read = Callable[[str], Settings]


def test_probes_logs_and_mail_are_read_with_their_defaults(read: Read, whole: str) -> None:
    sources = read(whole).sources
    assert (sources.probes[1].of, sources.probes[1].expires_within) == (5, timedelta(days=30))
    assert [(w.exceptions, w.workload, w.loki, w.syslog) for w in sources.logs[2:]] == [
        (True, "deployment/backend", None, None),
        (False, None, '{app="backend"}', None),
        (False, None, None, "kernel"),
    ]
    assert sources.email is not None
    assert (sources.email.domains, sources.email.largest, sources.email.alerts) == (
        ("tocsin.example.com",),
        5_000_000,
        "alerts",
    )
    assert sources.sns.topics == ("arn:aws:sns:eu-west-1:123456789012:ops",)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ('[[sources.probes]]\nname = "a"\nurl = "ftp://x"', "is not what a probe can ask"),
        ('[[sources.probes]]\nname = "a"\nurl = "tcp://x"', "names no port"),
        ('[[sources.probes]]\nname = "a"\nurl = "tls://x"\nof = 2', "can never fire"),
        (
            '[[sources.probes]]\nname = "a"\nurl = "dns://x"\nserver = "dns.example"',
            "is not the address of a name server",
        ),
        ('[[sources.logs]]\nname = "a"\npattern = "x"', "needs either file"),
        ('[[sources.logs]]\nname = "a"\npattern = "x"\nfile = "a"\nsyslog = "b"', "no two of them"),
        ('[[sources.logs]]\nname = "a"\nfile = "x"', "needs either pattern"),
        ('[[sources.logs]]\nname = "a"\nfile = "x"\npattern = "x"\nexceptions = true', "not both"),
        ('[[sources.logs]]\nname = "a"\nworkload = "backend"\npattern = "x"', "is not a workload"),
        ('[[sources.logs]]\nname = "a"\nloki = "{}"\npattern = "x"', "say where that is"),
        ('[[sources.logs]]\nname = "a"\nsyslog = "x"\npattern = "x"', "have it listened to"),
        ('[sources.syslog]\nlisten = "here"', "is not an address to listen on"),
        ('[sources.email]\nalerts = "a+b"', 'write it like "alerts"'),
        ('[sources.email]\nalerts = "x"\nreports = "X"', "need different addresses"),
        ('[sources.email]\ncertificate = "c.pem"', "needs both certificate and key"),
        ('[sources.sns]\ntopics = ["ops"]', "is not a topic"),
    ],
)
def test_a_wrong_source_is_refused_with_its_remedy(read: Read, table: str, reason: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(table)
    assert any(reason in problem for problem in refused.value.problems), refused.value.problems


@pytest.mark.parametrize(
    ("given", "found"), [("a:1", ("a", 1)), ("[::1]:25", ("::1", 25)), ("127.0.0.1:0", ("127.0.0.1", 0))]
)
def test_an_address_to_listen_on_is_a_host_and_a_port(given: str, found: tuple[str, int]) -> None:
    assert host_port(given) == found


@pytest.mark.parametrize("given", ["a", ":25", "a:x", "a:70000", "a b:1", "a:1/x", "u@a:1"])
def test_anything_else_is_none(given: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        host_port(given)
