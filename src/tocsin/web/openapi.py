"""What `/openapi.json` says beside the routes: the credential, the refusals, the alerts that come in."""

from __future__ import annotations

from typing import Any, TypeAlias

from fastapi import FastAPI

from tocsin.web import shapes
from tocsin.web.alerts import DECODERS
from tocsin.web.problems import MEDIA_TYPE

Schema: TypeAlias = dict[str, Any]

DESCRIPTION = (
    "Tocsin runs the incident runbook your team already has. Times are RFC 3339 in UTC, durations seconds. "
    "Refusals are RFC 9457 problem documents. Every POST honours Idempotency-Key."
)
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": shapes.ProblemJson, "description": said}
    for status, said in {
        401: "Nobody we know is asking.",
        403: "This takes another role.",
        404: "There is no such thing.",
        409: "Not possible in this state.",
        422: "A value is wrong; `errors` names it.",
        503: "The database does not answer: ask again.",
    }.items()
}
_JSON = "application/json"
_RECEIPTS = "ReceiptsJson"


def describe(app: FastAPI) -> None:
    """Has the app's schema say all of it."""
    generate = app.openapi

    def openapi() -> Schema:
        known = app.openapi_schema
        return known if known is not None else _completed(generate())

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI documents for extending its schema


def _completed(schema: Schema) -> Schema:
    for path in schema["paths"].values():
        for operation in path.values():
            _refuse_as_problems(operation)
    parts = schema.setdefault("components", {})
    parts["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "tocsin token create NAME --role ROLE"}
    }
    for path, operations in schema["paths"].items():
        if path.startswith("/api/v1/"):
            for operation in operations.values():
                operation["security"] = [{"token": []}]
    parts.setdefault("schemas", {})[_RECEIPTS] = _receipts()
    schema["paths"] |= {f"/api/v1/alerts/{source}": {"post": _intake(source)} for source in DECODERS}
    return schema


def _refuse_as_problems(operation: Schema) -> None:
    """FastAPI writes every model as application/json; refusals have a media type of their own."""
    for status, response in operation["responses"].items():
        if status >= "400" and _JSON in response.get("content", {}):
            response["content"] = {MEDIA_TYPE: response["content"][_JSON]}


def _intake(source: str) -> Schema:
    """The plain routes, which FastAPI does not see."""
    problem = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemJson"}}}}
    refused = {status: problem | {"description": REFUSALS[int(status)]["description"]} for status in ("401", "503")}
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
            "400": problem | {"description": "The body cannot be read; `errors` names the field."},
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
                "enum": ["opened", "attached", "resolved", "repeated", "stale", "recorded"],
            },
            "incident": {"type": ["integer", "null"]},
        },
        "required": ["fingerprint", "outcome", "incident"],
    }
    return {"type": "object", "properties": {"alerts": {"type": "array", "items": receipt}}, "required": ["alerts"]}
