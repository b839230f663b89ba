"""`/signin` and `/signout`: a token pasted, or a one-time link; then a session in a cookie."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.bootstrap.house import House
from tocsin.engine.credentials import ONCE
from tocsin.incident.wording import one_line
from tocsin.web.auth import Here, identify, refuse_forgery, set_session, sign_in_with_token, sign_out
from tocsin.web.pages.acting import typed
from tocsin.web.pages.errors import local_path
from tocsin.web.pages.rendering import page

router = APIRouter(include_in_schema=False)
SEE_OTHER, FORBIDDEN = 303, 403
LONGEST_NAME = 80
_RESERVED = frozenset({"tocsin"})
"""Names that stand on a timeline for something that is no person."""


@router.get("/signin")
async def ask(request: Request, house: Here) -> Response:
    """The form; a one-time link asks for a name and is not used up by being opened."""
    wanted = local_path(request.query_params.get("next", "/"))
    once = request.query_params.get("once", "")
    if not once and await identify(request, house) is not None:
        return RedirectResponse(wanted, SEE_OTHER)
    return await _form(request, house, once=once, wanted=wanted)


@router.post("/signin")
async def sign_in(request: Request, house: Here) -> Response:
    fields = await typed(request)
    wanted = local_path(fields.get("next", "/"))
    once = fields.get("once", "")
    if once:
        return await _with_link(request, house, fields, once=once, wanted=wanted)
    session = await sign_in_with_token(house, fields.get("token", ""))
    if session is None:
        trouble = "Nobody has that token. Check that all of it was copied, or have a new one made."
        return await _form(request, house, wanted=wanted, trouble=trouble, status=FORBIDDEN)
    return _started(house, session, wanted)


@router.post("/signout")
async def leave(request: Request, house: Here) -> Response:
    await refuse_forgery(request, house)
    answer = RedirectResponse("/signin", SEE_OTHER)
    await sign_out(request, house, answer)
    return answer


async def _with_link(request: Request, house: House, fields: dict[str, str], *, once: str, wanted: str) -> Response:
    name = one_line(fields.get("other", "") or fields.get("name", ""))[:LONGEST_NAME]
    if not name or name.casefold() in _RESERVED:
        trouble = (
            "Give your name: it stands beside what you do." if not name else f"{name} is not a person’s name here."
        )
        return await _form(request, house, once=once, wanted=wanted, trouble=trouble, status=422)
    invited = await house.credentials.redeem(once)
    if invited is None:
        trouble = "This link was used already or is older than a day. Paste a token, or have a new link made."
        return await _form(request, house, wanted=wanted, trouble=trouble, status=FORBIDDEN)
    return _started(house, await house.credentials.start_session(name, invited.role), wanted)


def _started(house: House, session: str, wanted: str) -> Response:
    answer = RedirectResponse(wanted, SEE_OTHER)
    set_session(answer, house, session)
    return answer


async def _form(
    request: Request, house: House, *, once: str = "", wanted: str, trouble: str = "", status: int = 200
) -> Response:
    good = bool(once) and await house.credentials.check(once, ONCE) is not None
    if once and not good and not trouble:
        trouble, status = "This link was used already or is older than a day. Paste a token instead.", FORBIDDEN
    people = list(house.desk.policy.roster.people.values())
    answer = page(
        request, "signin.html", status, once=once if good else "", next=wanted, people=people, trouble=trouble
    )
    answer.headers["Referrer-Policy"] = "no-referrer"  # the address may hold the secret
    return answer
