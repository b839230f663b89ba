"""Refusals as HTTP: RFC 9457 problem documents for programs, a page for people. No internals leave in either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TypeAlias

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from msgspec import Struct, field
from msgspec.structs import replace
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tocsin.engine.errors import NotFound, Unavailable
from tocsin.incident.errors import CommandError, PermissionRefused, TransitionError
from tocsin.signals.errors import SignalError
from tocsin.web.errors import BadField, BadRequest, NotReady, Unauthenticated
from tocsin.web.health import waiting
from tocsin.web.limits import Throttled
from tocsin.web.pages.errors import error_page

log = structlog.get_logger()
MEDIA_TYPE = "application/problem+json"
_TICKETS = "/acknowledge/"
CHALLENGE = 'Bearer realm="tocsin"'
RETRY_SECONDS = "5"
Reasons: TypeAlias = tuple[tuple[str, str], ...]


class Problem(Struct, frozen=True):
    """A refusal as HTTP says it; `errors` are (name, reason) of what is wrong in the request."""

    status: int
    detail: str
    errors: Reasons = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return HTTPStatus(self.status).phrase


def problem_of(exc: Exception) -> Problem:
    """What to answer for this exception; anything nobody expected is a 500 that says nothing of itself."""
    match exc:
        case NotFound():
            return Problem(404, str(exc))
        case Unauthenticated():
            return Problem(401, str(exc), headers={"WWW-Authenticate": CHALLENGE})
        case PermissionRefused():
            return Problem(403, str(exc))
        case TransitionError():
            return Problem(409, str(exc))
        case CommandError():
            return Problem(422, str(exc), tuple(exc.fields.items()))
        case BadField():
            return Problem(422, str(exc), ((exc.name, exc.reason),))
        case SignalError():
            return Problem(400, f"the alerts cannot be read: {exc}", ((exc.field or "body", exc.reason),))
        case BadRequest():
            return Problem(400, str(exc))
        case Throttled():
            return Problem(503, str(exc), headers={"Retry-After": str(exc.seconds)})
        case Unavailable() | NotReady():
            return Problem(503, str(exc), headers={"Retry-After": RETRY_SECONDS})
        case RequestValidationError():
            reasons = _reasons(exc)
            return Problem(422, "; ".join(f"{name}: {why}" for name, why in reasons), reasons)
        case HTTPException(status_code=400, detail="There was an error parsing the body"):  # as FastAPI words it
            return Problem(400, "the body cannot be read: it is no JSON, or nested too deeply", (("body", "no JSON"),))
        case HTTPException():
            return Problem(exc.status_code, _detail(exc), headers=exc.headers or {})
        case _:
            return Problem(500, "something went wrong inside; the server's log says what")


def respond(request: Request, exc: Exception) -> Response:
    """The answer to a request that ended in `exc`: a page when a browser asks for one, a problem document otherwise."""
    found = problem_of(exc)
    if isinstance(exc, Unavailable) and not isinstance(exc, Throttled):
        found = replace(found, detail=f"{found.detail}{waiting(request.app.state.house)}")
    if found.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request_failed", method=request.method, path=_loggable(request.url.path), exc_info=exc)
    if wants_page(request):
        page = error_page(request, found.status, found.title, found.detail)
        page.headers.update(found.headers)
        return page
    return document(found, instance=request.url.path)


def _loggable(path: str) -> str:
    """The path without the ticket of an acknowledge link, which is a secret."""
    return f"{_TICKETS}..." if path.startswith(_TICKETS) else path


def document(problem: Problem, *, instance: str) -> Response:
    """The problem as RFC 9457 writes it; `instance` is the path that was asked for."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": instance,
    }
    if problem.errors:
        body["errors"] = [{"name": name, "reason": reason} for name, reason in problem.errors]
    return JSONResponse(body, problem.status, headers=dict(problem.headers), media_type=MEDIA_TYPE)


def wants_page(request: Request) -> bool:
    """Whether a person's browser asks, for something that is not the API."""
    if request.url.path.startswith("/api/"):
        return False
    return "text/html" in request.headers.get("accept", "") or "hx-request" in request.headers


def install(app: FastAPI) -> None:
    """Has the app answer every refusal by `respond`. What is not named here is caught by `Guard`."""
    expected: Sequence[type[Exception]] = (
        NotFound,
        Unauthenticated,
        PermissionRefused,
        TransitionError,
        CommandError,
        BadField,
        BadRequest,
        NotReady,
        SignalError,
        Unavailable,
        RequestValidationError,
        HTTPException,
    )
    for kind in expected:
        app.add_exception_handler(kind, respond)


def _reasons(exc: RequestValidationError) -> Reasons:
    """(name, reason) of each value at fault; the name is its path in the body, or the parameter's own."""
    return tuple((_name(error["loc"]), _reason(error)) for error in exc.errors())


def _name(loc: Sequence[str | int]) -> str:
    if "json_invalid" in loc or (loc[:1] == ("body",) and len(loc) == 2 and isinstance(loc[1], int)):
        return "body"  # where in the text the JSON breaks is said in the reason
    path = [str(part) for part in loc[1:]] if len(loc) > 1 else [str(part) for part in loc]
    return ".".join(path) or "body"


def _reason(error: Mapping[str, object]) -> str:
    if error.get("type") == "json_invalid":
        context = error.get("ctx")
        why = context.get("error", "") if isinstance(context, Mapping) else ""
        return f"not valid JSON: {why}".rstrip(": ")
    if error.get("type") == "extra_forbidden":
        return "there is no such field"
    said = str(error.get("msg", "is wrong"))
    return said[:1].lower() + said[1:]


def _detail(exc: HTTPException) -> str:
    known = {404: "there is nothing at this address", 405: "this method is not possible here"}
    usual = not exc.detail or exc.detail == HTTPStatus(exc.status_code).phrase
    return known.get(exc.status_code, str(exc.detail).lower()) if usual else str(exc.detail)
