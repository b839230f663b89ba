"""What `/openapi.json` says of the addresses that other systems' senders know: each is answered in its own form."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from tocsin.signals.opsgenie import NEEDED
from tocsin.web import heartbeats, opsgenie, pagerduty
from tocsin.web.alerts import ALERTMANAGER_API, MAPPED

Schema: TypeAlias = dict[str, Any]


def senders() -> Schema:
    """The paths with their operations."""
    return {
        ALERTMANAGER_API: {
            "post": _operation("Alerts as Prometheus posts them to an Alertmanager", 200, 400, 401, 413, 503)
        },
        f"{MAPPED}/{{name}}": {
            "post": _operation(
                "Any JSON, read by the declared mapping of that name", 200, 400, 401, 404, 413, 503, "name"
            )
        },
        pagerduty.ENQUEUE: {"post": _operation("PagerDuty Events API, version 2", 202, 400, 413, 429)},
        pagerduty.CREATE_EVENT: {"post": _operation("PagerDuty Events API, version 1", 200, 400, 413, 429)},
        heartbeats.PING: _both("A beat of a configured heartbeat", 200, 401, 404, 503, "name"),
        heartbeats.OPSGENIE_PING: _both("A beat, as Opsgenie's senders ping", 202, 401, 404, 429, "name"),
        **_opsgenie(),
    }


def _opsgenie() -> Schema:
    one = f"{opsgenie.ALERTS}/{{identifier}}"
    named = ("identifier",)
    paths: Schema = {
        opsgenie.ALERTS: {
            "post": _operation("Opsgenie Alert API: create", 202, 401, 413, 422, 429),
            "get": _operation("Opsgenie Alert API: list", 200, 401),
        },
        f"{opsgenie.ALERTS}/requests/{{request_id}}": {
            "get": _operation("Opsgenie Alert API: what a request came to", 200, 401, 404, "request_id")
        },
        one: {
            "get": _operation("Opsgenie Alert API: one alert", 200, 401, 404, *named),
            "delete": _operation("Opsgenie Alert API: the alert stops", 202, 401, 429, *named),
        },
    }
    for verb in NEEDED:
        method = "put" if verb in opsgenie.PUT else "post"
        paths[f"{one}/{verb}"] = {method: _operation(f"Opsgenie Alert API: {verb}", 202, 401, 413, 422, 429, *named)}
    for verb in ("tags", "details"):
        summary = f"Opsgenie Alert API: {verb} taken off"
        paths[f"{one}/{verb}"]["delete"] = _operation(summary, 202, 401, 422, 429, *named)
    return paths


def _both(summary: str, *said: int | str) -> Schema:
    return {"get": _operation(f"{summary} (GET)", *said), "post": _operation(f"{summary} (POST)", *said)}


def _operation(summary: str, *said: int | str) -> Schema:
    """Numbers are the statuses it answers, words the parameters of its path."""
    means = {
        200: "Taken, and durable.", 202: "Taken, and durable.", 400: "The body cannot be read; a field is named.",
        401: "Nobody we know is asking.", 404: "There is no such thing.", 413: "The body is too large.",
        422: "A field is wrong; `errors` names it.", 429: "The database does not answer: send it again.",
        503: "The database does not answer: send it again.",
    }  # fmt: skip
    return {
        "tags": ["alerts"],
        "summary": summary,
        "operationId": re.sub(r"\W+", "_", summary).strip("_").lower(),
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in said
            if isinstance(name, str)
        ],
        "responses": {str(status): {"description": means[status]} for status in said if isinstance(status, int)},
    }
