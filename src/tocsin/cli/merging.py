"""What `tocsin related` and `tocsin split` list: other incidents with why, and an incident's alerts to choose from."""

from __future__ import annotations

from tocsin.cli import answers as a
from tocsin.cli import render
from tocsin.cli.client import Client
from tocsin.cli.responding import at, shown, told

MOST = 200


def related(number: int, *, as_json: bool) -> int:
    """Open incidents that may be one trouble with it, the likeliest first."""

    def show(server: Client) -> int:
        answer = server.get(at(number, "related"))
        return shown(answer, as_json, lambda: render.related(answer.read(a.RelatedOnes), number))

    return told(show)


def alerts(number: int, *, as_json: bool) -> int:
    """The incident's alerts by their fingerprints."""

    def show(server: Client) -> int:
        answer = server.get(at(number, "alerts"), limit=MOST)
        return shown(answer, as_json, lambda: render.alerts(answer.read(a.Alerts), number))

    return told(show)
