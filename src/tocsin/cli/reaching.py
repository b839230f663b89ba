"""Whether the hosts that the settings name take a connection. Connects and hangs up; nothing is ever sent."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from msgspec import Struct

from tocsin.channels.smtp import PORTS
from tocsin.config.channels import Channels
from tocsin.config.sources import Sources

CONNECT_SECONDS = 3.0
_PORTS = {**PORTS, "http": 80, "https": 443}


class Target(Struct, frozen=True):
    """A host to try. `needed` is false for what may well be down, which is what it is watched for."""

    what: str
    name: str
    host: str
    port: int
    needed: bool = True


def channel_targets(channels: Channels) -> Iterator[Target]:
    """Where each configured channel hands its messages over; hosts only, never the rest of an address."""
    if channels.email is not None:
        yield _target("channels", "email", channels.email.smtp.get_secret_value())
    if channels.webhook is not None:
        yield _target("channels", "webhook", channels.webhook.url.get_secret_value())
    if channels.slack is not None and channels.slack.webhook_url is not None:
        yield _target("channels", "slack", channels.slack.webhook_url.get_secret_value())


def source_targets(sources: Sources) -> Iterator[Target]:
    """Prometheus and each probe's host."""
    if sources.prometheus is not None:
        yield _target("prometheus", "queries", sources.prometheus.url)
    for probe in sources.probes:
        yield _target("probes", probe.name, probe.url, needed=False)


def reached(target: Target) -> str | None:
    """None when the host takes a TCP connection within 3 seconds, else why not."""
    try:
        with socket.create_connection((target.host, target.port), timeout=CONNECT_SECONDS):
            return None
    except TimeoutError:
        return "no answer in 3 s"
    except OSError as exc:
        return exc.strerror or type(exc).__name__
    except UnicodeError:
        return "the host's name is not valid"


def _target(what: str, name: str, url: str, *, needed: bool = True) -> Target:
    parts = urlsplit(url)
    return Target(what, name, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0), needed)
