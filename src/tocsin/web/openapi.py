"""What `/openapi.json` says beside the routes: the credential, the refusals, the alerts that come in."""

from __future__ import annotations

from typing import Any, TypeAlias

from fastapi import FastAPI

from tocsin.web.alerts import DECODERS
from tocsin.web.openapi_senders import senders
from tocsin.web.problems import MEDIA_TYPE

Schema: TypeAlias = dict[str, Any]

DESCRIPTION = (
    "Tocsin runs the incident runbook your team already has. Times are RFC 3339 in UTC, durations seconds. "
    "Refusals are RFC 9457 problem documents. Every POST honours Idempotency-Key."
)
_JSON = "application/json"
_RECEIPTS, _PROBLEM = "ReceiptsJson", "ProblemJson"


def _refusal(said: str) -> Schema:
    return {"description": said, "content": {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{_PROBLEM}"}}}}


# a `model` for each refusal of each route would have pydantic build hundreds of validators at the first request
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: _refusal(said)
    for status, said in {
        401: "Nobody we know is asking.",
        403: "This takes another role.",
        404: "There is no such thing.",
        409: "Not possible in this state.",
        422: "A value is wrong; `errors` names it.",
        503: "The database does not answer: ask again.",
    }.items()
}
OF_A_BODY: Schema = {
    "400": _refusal("The body cannot be read."),
    "413": _refusal("The body is too large."),
}
"""What every operation that takes a body may answer beside."""


def describe(app: FastAPI) -> None:
    """Has the app's schema say all of it."""
    generate = app.openapi

    def openapi() -> Schema:
        known = app.openapi_schema
        return known if known is not None else _completed(generate())

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI documents for extending its schema


def _completed(schema: Schema) -> Schema:
    parts = schema.setdefault("components", {})
    parts["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "tocsin token create NAME --role ROLE"}
    }
    for path, operations in schema["paths"].items():
        if path.startswith("/api/v1/"):
            for operation in operations.values():
                operation["security"] = [{"token": []}]
                if "requestBody" in operation:
                    operation["responses"] |= OF_A_BODY
    parts.setdefault("schemas", {}).update({_RECEIPTS: _receipts(), _PROBLEM: _problem()})
    schema["paths"] |= {f"/api/v1/alerts/{source}": {"post": _intake(source)} for source in DECODERS}
    schema["paths"] |= senders()
    return schema


def _intake(source: str) -> Schema:
    """The plain routes, which FastAPI does not see."""
    refused = {str(status): REFUSALS[status] for status in (401, 403, 503)}
    return {
        "tags": ["alerts"],
        "summary": f"Alerts in, as {source} sends them",
        "operationId": f"take_{source}_alerts",
        "security": [{"token": []}, {}],
        "requestBody": {"required": True, "content": {_JSON: {"schema": {}}}},
        "responses": {
            "200": {
                "description": "What came of each alert, all of them durable.",
                "content": {_JSON: {"schema": {"$ref": f"#/components/schemas/{_RECEIPTS}"}}},
            },
            "400": REFUSALS[422] | {"description": "The body cannot be read; `errors` names the field."},
            "413": OF_A_BODY["413"],
            **refused,
        },
    }


def _receipts() -> Schema:
    receipt = {
        "type": "object",
        "properties": {
            "fingerprint": {"type": "string"},
            "outcome": {
                "type": "string",
                "enum": ["opened", "attached", "resolved", "repeated", "stale", "held", "recorded", "spooled"],
            },
            "incident": {"type": ["integer", "null"]},
            "why": {"type": "string"},
        },
        "required": ["fingerprint", "outcome", "incident"],
    }
    return {"type": "object", "properties": {"alerts": {"type": "array", "items": receipt}}, "required": ["alerts"]}


def _problem() -> Schema:
    """RFC 9457, with what is wrong in the request by name."""
    text = {"type": "string"}
    reason = {"type": "object", "properties": {"name": text, "reason": text}, "required": ["name", "reason"]}
    return {
        "type": "object",
        "properties": {
            "type": text,
            "title": text,
            "status": {"type": "integer"},
            "detail": text,
            "instance": text,
            "errors": {"type": "array", "items": reason},
        },
        "required": ["type", "title", "status", "detail"],
    }
