"""Values become HTML: the template environment, its filters, and the one way a page is answered."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from tocsin.incident.facts import label
from tocsin.incident.policy import Actor, Role
from tocsin.incident.state import Incident
from tocsin.incident.wording import duration, harmless, outcome_words, role_words
from tocsin.oncall.roster import Person
from tocsin.runbook.model import Runbook
from tocsin.web.pages.live_view import mark

STATIC = Path(__file__).parent / "static"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# what a terminal would obey and a page would hide: shown by its code, since a command is read before it is approved
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def page(request: Request, template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """The template as a whole page. `actor` and `csrf` in the context are of who is signed in, None and empty else."""
    given = {"actor": None, "csrf": "", "path": request.url.path, "now": datetime.now(UTC), **context}
    return HTMLResponse(render(template, **given), status, headers=HEADERS)


def render(template: str, **context: Any) -> str:
    return ENVIRONMENT.get_template(template).render(context)


def verbatim(text: str) -> Markup:
    """A command exactly as it will run: characters that could disguise it are shown by their code."""
    shown = _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return escape(shown)


def clock(at: datetime) -> Markup:
    """The time of day in UTC, seconds left out; the whole instant is in its attribute and its title."""
    utc = at.astimezone(UTC)
    return _time(utc, f"{utc:%H:%M}")


def moment(at: datetime) -> Markup:
    """Date and time of day, in UTC."""
    utc = at.astimezone(UTC)
    return _time(utc, f"{utc:%Y-%m-%d %H:%M} UTC")


def due(at: datetime) -> Markup:
    """An instant to count down to, by the script of the page: `03:15 UTC`, and how long until then."""
    return _counted(at, "data-due")


def since(at: datetime) -> Markup:
    """An instant to count up from: `03:15 UTC`, and how long ago."""
    return _counted(at, "data-since")


def _counted(at: datetime, attribute: str) -> Markup:
    utc = at.astimezone(UTC)
    counter = Markup('<span class="count" {}="{}"></span>')
    return counter.format(attribute, utc.isoformat(timespec="seconds")) + _time(utc, f"{utc:%H:%M} UTC")


def _time(utc: datetime, shown: str) -> Markup:
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        utc.isoformat(timespec="seconds"), f"{utc:%Y-%m-%d %H:%M:%S} UTC", shown
    )


def span(length: timedelta | None) -> str:
    return duration(length) if length is not None else "not stated"


def rank(severity: str, runbook: Runbook) -> int:
    """The level's place in the runbook, 0 for the worst, never above 4; 4 for one the runbook does not know."""
    names = [level.name for level in runbook.severities]
    return min(names.index(severity), 3) if severity in names else 4


def digest(markup: str) -> str:
    """Names a part's content, so that a page leaves alone what has not changed."""
    return hashlib.sha256(markup.encode("utf-8", "replace")).hexdigest()[:12]


def asset(name: str) -> str:
    """The address of a file of ours, which changes with its content so that it may be kept for ever."""
    return f"/static/{name}?v={_VERSIONS[name]}"


def fact_title(name: str) -> str:
    """A fact's name as the label of its field: `root_cause` gives `Root cause`."""
    words = label(name).replace("_", " ")
    return words[:1].upper() + words[1:]


def may_act(actor: Actor | None) -> bool:
    return actor is not None and actor.role.includes(Role.RESPONDER)


def calls(person: Person | None) -> str:
    """The person's number as a telephone link takes it; empty without one."""
    return re.sub(r"[^+0-9]", "", person.phone or "") if person else ""


def _safe(value: Any) -> Any:
    return harmless(value) if type(value) is str else value


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("tocsin.web.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_safe,
    )
    made.filters.update(
        clock=clock, moment=moment, due=due, since=since, span=span, verbatim=verbatim, outcome=outcome_words,
        role=role_words, fact=fact_title, digest=digest, calls=calls, rank=rank,
    )  # fmt: skip
    made.globals.update(asset=asset, may_act=may_act, mark=mark)
    return made


def _versions() -> Mapping[str, str]:
    files = (path for path in STATIC.iterdir() if path.is_file())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:10] for path in files}


def heading(incident: Incident) -> str:
    return f"{incident.severity} #{incident.number} {incident.title}"


_VERSIONS = _versions()
ENVIRONMENT = _environment()


def template_names() -> list[str]:
    """What to give to `compile_template`, one after the other."""
    return ENVIRONMENT.list_templates()


def compile_template(name: str) -> None:
    """Compiled now, so that the first page is as quick as the rest, and a broken one is no surprise."""
    ENVIRONMENT.get_template(name)
