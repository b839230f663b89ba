"""Refusals as pages: what went wrong in a sentence, and where to go from here."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.web.pages.rendering import page

SEE_OTHER = 303
_TITLES = {
    400: "This could not be read",
    403: "Not allowed",
    404: "Nothing here",
    405: "Not possible here",
    409: "Not possible now",
    410: "This link is no longer good",
    413: "Too large",
    422: "Something is missing or wrong",
    500: "Something broke on our side",
    503: "Not ready",
}
_ADVICE = {
    404: "The incident or page may have another number. The list of incidents has them all.",
    410: "Sign in to see the incident as it is now.",
    500: "Nothing you sent was half done: what is not on the timeline did not happen. Paging goes on by itself.",
    503: "Paging goes on as soon as the database answers. Try again in a few seconds.",
}


def error_page(request: Request, status: int, title: str, detail: str) -> Response:
    """The refusal as a page of that status. Somebody who is not signed in is led to sign in, and back."""
    if status == HTTPStatus.UNAUTHORIZED:
        return sign_in_first(request)
    said = detail[:1].upper() + detail[1:]
    heading = _TITLES.get(status, title)
    return page(request, "error.html", status, title=heading, detail=said, code=status, advice=_ADVICE.get(status, ""))


def sign_in_first(request: Request) -> Response:
    """To the sign-in page and back to what was asked for; a form that was sent is not sent again by itself."""
    wanted = request.url.path if request.method == "GET" else _page_of(request.url.path)
    query = f"?{request.url.query}" if request.url.query and request.method == "GET" else ""
    address = f"/signin?next={quote(wanted + query, safe='/')}"
    if "hx-request" in request.headers:
        return Response(status_code=200, headers={"HX-Redirect": f"/signin?next={quote(_shown(request), safe='/')}"})
    return RedirectResponse(address, SEE_OTHER)


def local_path(wanted: str) -> str:
    """The path when it leads to a page of ours, else the list: a link must not send people elsewhere."""
    plain = wanted.isprintable() and "\\" not in wanted
    return wanted if plain and wanted.startswith("/") and not wanted.startswith("//") else "/"


def _page_of(path: str) -> str:
    """The page on which a form of this address stands: `/incidents/7/resolve` is on `/incidents/7`."""
    parts = path.split("/")
    return "/".join(parts[:3]) if parts[1:2] == ["incidents"] and len(parts) > 3 else "/"


def _shown(request: Request) -> str:
    return _page_of(request.url.path)
