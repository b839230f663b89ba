"""Who is asking: a bearer token or a browser session, what they may do, and the proof that a form is ours.

Refuses to keep anything: sessions and tokens live in the store, as hashes.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from tocsin.bootstrap.house import House
from tocsin.engine.credentials import API, SESSION, SESSION_LASTS
from tocsin.incident.errors import PermissionRefused
from tocsin.incident.policy import Actor, Role
from tocsin.web.errors import Unauthenticated

COOKIE = "tocsin_session"
CSRF_HEADER, CSRF_FIELD = "X-CSRF-Token", "csrf"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_WHO_ASKS = "sign in, or send a token: Authorization: Bearer TOKEN"


def house_of(request: Request) -> House:
    """The house that this app serves."""
    house: House = request.app.state.house
    return house


Here = Annotated[House, Depends(house_of)]


async def identify(request: Request, house: House) -> Actor | None:
    """Whose token or session it is; None when there is none, or it is nobody's. A token that is sent alone counts."""
    scheme, secret = authorization(request)
    if scheme:
        return await house.credentials.check(secret, API) if scheme == "bearer" else None
    session = request.cookies.get(COOKIE, "")
    return await house.credentials.check(session, SESSION) if session else None


def session_of(request: Request) -> str | None:
    """The session's secret when the request is made in one, else None: a bearer token takes precedence."""
    return None if authorization(request)[0] else request.cookies.get(COOKIE) or None


def authorization(request: Request) -> tuple[str, str]:
    """(scheme in lower case, credential) of the Authorization header; both empty without one."""
    for name, value in request.scope["headers"]:  # as they came: looked for once in every alert
        if name == b"authorization":
            scheme, _, secret = value.decode("latin-1").partition(" ")
            return scheme.casefold(), secret.strip()
    return "", ""


def basic_password(credential: str) -> str | None:
    """The password of a Basic credential, None when it cannot be read."""
    try:
        return b64decode(credential, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None


def needing(role: Role) -> Callable[[Request], Awaitable[Actor]]:
    """A dependency that gives the actor. Raises Unauthenticated, or PermissionRefused naming the role it takes."""

    async def actor(request: Request) -> Actor:
        house = house_of(request)
        found = await identify(request, house)
        if found is None:
            raise Unauthenticated(_WHO_ASKS)
        if request.method not in SAFE:
            await refuse_forgery(request, house)
        if not found.role.includes(role):
            raise PermissionRefused(f"{found.name} is {found.role}: this takes the role {role}")
        return found

    return actor


viewer = needing(Role.VIEWER)
responder = needing(Role.RESPONDER)
commander = needing(Role.COMMANDER)
admin = needing(Role.ADMIN)

Viewer = Annotated[Actor, Depends(viewer)]
Responder = Annotated[Actor, Depends(responder)]
Commander = Annotated[Actor, Depends(commander)]
Admin = Annotated[Actor, Depends(admin)]


async def refuse_forgery(request: Request, house: House) -> None:
    """Raises PermissionRefused unless a request made in a session carries that session's CSRF token."""
    session = session_of(request)
    if session is None:
        return
    given = request.headers.get(CSRF_HEADER) or await _form_field(request)
    if not house.credentials.csrf_matches(session, given if given.isascii() else ""):
        raise PermissionRefused(f"the form is out of date: reload the page (no valid {CSRF_HEADER} or {CSRF_FIELD})")


def csrf_token(request: Request, house: House) -> str:
    """What this session's forms must carry; empty without a session."""
    session = session_of(request)
    return house.credentials.csrf(session) if session else ""


# Signing in and out: the pages call these


async def sign_in_once(house: House, secret: str) -> str | None:
    """A new session for the holder of a one-time link, which it uses up; None when the link is not good any more."""
    actor = await house.credentials.redeem(secret)
    return await house.credentials.start_session(actor.name, actor.role) if actor else None


async def sign_in_with_token(house: House, secret: str) -> str | None:
    """A new session with the name and role of an API token; None when nobody has that token."""
    actor = await house.credentials.check(secret.strip(), API)
    return await house.credentials.start_session(actor.name, actor.role) if actor else None


async def sign_out(request: Request, house: House, response: Response) -> None:
    """Ends the session for good and has the browser forget it."""
    session = session_of(request)
    if session is not None:
        await house.credentials.end_session(session)
    response.delete_cookie(COOKIE, path="/")


def set_session(response: Response, house: House, session: str) -> None:
    """Hands the session to the browser: not readable by scripts, not sent along by other sites' forms."""
    response.set_cookie(
        COOKIE,
        session,
        max_age=int(SESSION_LASTS.total_seconds()),
        path="/",
        httponly=True,
        samesite="lax",
        secure=urlsplit(house.settings.public_url).scheme == "https",
    )


async def _form_field(request: Request) -> str:
    if not request.headers.get("content-type", "").startswith(_FORMS):
        return ""
    given = (await request.form()).get(CSRF_FIELD)
    return given if isinstance(given, str) else ""
