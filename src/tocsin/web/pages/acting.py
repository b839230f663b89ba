"""`POST /incidents/{number}/{command}`: every form of the incident room, each a call of the desk.

With htmx the answer is the room's changed parts, without it a redirect back to the room. A refusal is shown in the room
itself, with what was typed still in its form.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.bootstrap.house import House
from tocsin.engine.desk import Desk
from tocsin.engine.errors import NotFound
from tocsin.incident.errors import CommandError, IncidentError, PermissionRefused, TransitionError
from tocsin.incident.facts import label
from tocsin.incident.policy import Actor
from tocsin.incident.state import Incident
from tocsin.web.auth import Here, Responder
from tocsin.web.pages.room import SAID, known, newest_shown, parts, whole
from tocsin.web.pages.room_view import Told

router = APIRouter(include_in_schema=False)
SEE_OTHER = 303
LONGEST = 20_000
"""Characters of one field; more is cut off nowhere but refused."""
_KEPT_BACK = ("csrf",)
_STATUS = {TransitionError: 409, CommandError: 422, PermissionRefused: 403, NotFound: 404}
_ANCHORS = {
    "severity": "classify", "run": "investigate", "cancel": "investigate", "stop": "approvals", "answer": "decide",
    "propose": "approvals", "approve": "approvals", "break-glass": "approvals", "reject": "mitigate",
    "settle": "mitigate", "mitigated": "mitigate", "update": "tell", "say": "tell", "publish": "public", "tick": "end",
    "resolve": "end", "note": "log", "facts": "after", "add-item": "after", "finish-item": "after", "close": "after",
    "absorb": "related", "unrelated": "related",
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """One form as it was sent: who sent it, about which incident, with which fields."""

    desk: Desk
    ref: str
    actor: Actor
    fields: Mapping[str, str]

    def field(self, name: str) -> str:
        return self.fields.get(name, "").strip()

    def prefixed(self, prefix: str) -> dict[str, str]:
        """The fields called `prefix:NAME`, by NAME; those left empty are left out."""
        found = ((k.removeprefix(prefix), v.strip()) for k, v in self.fields.items() if k.startswith(prefix))
        return {name: text for name, text in found if text}


Command = Callable[[Asked], Awaitable[object]]


@router.post("/incidents/{number}/{command}")
async def act(request: Request, house: Here, actor: Responder, number: int, command: str) -> Response:
    """Does what the form asks."""
    todo = COMMANDS.get(command)
    if todo is None:
        raise NotFound("there is nothing at this address")
    fields = await typed(request)
    try:
        await todo(Asked(house.desk, str(number), actor, fields))
    except (IncidentError, NotFound) as refusal:
        told = Told(command, fields, refusal.fields if isinstance(refusal, CommandError) else {})
        return await _refused(request, house, number, actor, refusal=refusal, told=told)
    if "hx-request" not in request.headers:
        return RedirectResponse(f"/incidents/{number}?done={command}#{_ANCHORS.get(command, 'top')}", SEE_OTHER)
    found = await known(house, number, actor, after=newest_shown(request))
    answer = parts(request, house, found, said=said_after(command, found.incident))
    answer.headers["Tocsin-Done"] = command
    return answer


async def typed(request: Request) -> dict[str, str]:
    """The text fields of a form but for the proof that it is ours. Raises CommandError for one that is too long."""
    form = await request.form()
    fields = {k: v for k, v in form.items() if isinstance(v, str) and k not in _KEPT_BACK}
    long = next((k for k, v in fields.items() if len(v) > LONGEST), None)
    if long is not None:
        raise CommandError(f"{long} is longer than {LONGEST:,} characters", {long: "too long"})
    return fields


def said_after(command: str, incident: Incident) -> str:
    """The sentence that confirms a command, as things stand after it."""
    if command == "resolve":
        if incident.status.over:
            return "Resolved."
        return "Verification has begun. It resolves by itself once the window has passed and every item is ticked."
    return SAID[command]


async def _refused(
    request: Request, house: House, number: int, actor: Actor, *, refusal: Exception, told: Told
) -> Response:
    """The room with the reason on top and the form as it was filled in."""
    status = next((code for kind, code in _STATUS.items() if isinstance(refusal, kind)), 409)
    sentence = _sentence(refusal)
    if "hx-request" in request.headers:
        found = await known(house, number, actor, after=newest_shown(request))
        return parts(request, house, found, said=sentence, kind="bad", told=told, status=status)
    found = await known(house, number, actor)
    return whole(request, house, found, said=sentence, kind="bad", told=told, status=status)


def _sentence(refusal: Exception) -> str:
    said = str(refusal)
    if isinstance(refusal, CommandError):
        for name in refusal.fields:
            said = said.replace(name, label(name))
    return said[:1].upper() + said[1:] + ("" if said.endswith((".", "!", "?")) else ".")


async def _escalate(a: Asked) -> object:
    return await a.desk.escalate(a.ref, a.actor, role=a.field("role") or None, reason=a.field("reason"))


async def _merge(a: Asked) -> object:
    return await a.desk.merging.merge(
        a.ref, a.actor, into=a.field("into").removeprefix("#").strip(), reason=a.field("reason")
    )


async def _split(a: Asked) -> object:
    chosen = tuple(a.prefixed("alert:"))
    return await a.desk.merging.split(a.ref, a.actor, alerts=chosen, title=a.field("title"), reason=a.field("reason"))


async def _update(a: Asked) -> object:
    template = a.field("template") or "Update"
    return await a.desk.update(a.ref, a.actor, template=template, fields=a.prefixed("field:"))


async def _say(a: Asked) -> object:
    if not a.field("text"):
        raise CommandError("the message is empty", {"text": "must not be empty"})
    return await a.desk.update(a.ref, a.actor, text=a.field("text"))


async def _run(a: Asked) -> object:
    step = a.field("step")
    steps = (int(step),) if step.isascii() and step.isdigit() and len(step) < 5 else ()
    return await a.desk.run_procedure(
        a.ref, a.actor, slug=a.field("procedure"), steps=steps, values=a.prefixed("value:")
    )


async def _facts(a: Asked) -> object:
    """Only what is new: a form carries every fact, and recording one again would say it twice on the timeline."""
    known_facts = (await a.desk.incident(a.ref)).facts
    new = {name: text for name, text in a.prefixed("fact:").items() if known_facts.get(name) != text}
    if not new:
        raise CommandError("nothing new was written")
    return await a.desk.record_facts(a.ref, a.actor, new)


async def _add_item(a: Asked) -> object:
    return await a.desk.add_action_item(
        a.ref, a.actor, title=a.field("title"), owner=a.field("owner"), due_at=_day(a.field("due")),
        kind=a.field("kind"),
    )  # fmt: skip


def _day(text: str) -> datetime:
    """The last minute of the day that a date field names, in UTC."""
    try:
        return datetime.combine(date.fromisoformat(text), time(23, 59), tzinfo=UTC)
    except ValueError:
        raise CommandError("the due date is missing or is no date", {"due": "a date like 2026-01-31"}) from None


COMMANDS: Mapping[str, Command] = {
    "acknowledge": lambda a: a.desk.acknowledge(a.ref, a.actor, via="web"),
    "escalate": _escalate,
    "assign": lambda a: a.desk.assign(a.ref, a.actor, role=a.field("role"), person=a.field("person")),
    "severity": lambda a: a.desk.set_severity(a.ref, a.actor, severity=a.field("severity"), reason=a.field("reason")),
    "run": _run,
    "cancel": lambda a: a.desk.cancel_run(a.ref, a.actor, run=a.field("run"), reason=a.field("reason")),
    "stop": lambda a: a.desk.stop_mitigation(a.ref, a.actor, approval=a.field("approval"), reason=a.field("reason")),
    "answer": lambda a: a.desk.answer(
        a.ref, a.actor, question=a.field("question"), answer=a.field("answer"), reason=a.field("reason")
    ),
    "propose": lambda a: a.desk.propose(a.ref, a.actor, slug=a.field("mitigation"), values=a.prefixed("value:")),
    "approve": lambda a: a.desk.approve(a.ref, a.actor, approval=a.field("approval")),
    "break-glass": lambda a: a.desk.break_glass(
        a.ref, a.actor, slug=a.field("mitigation"), values=a.prefixed("value:"), reason=a.field("reason")
    ),
    "reject": lambda a: a.desk.reject(a.ref, a.actor, approval=a.field("approval"), reason=a.field("reason")),
    "settle": lambda a: a.desk.settle(
        a.ref, a.actor, approval=a.field("approval"), outcome=a.field("outcome"), reason=a.field("reason")
    ),
    "mitigated": lambda a: a.desk.mitigated(a.ref, a.actor, reason=a.field("reason")),
    "update": _update,
    "say": _say,
    "publish": lambda a: a.desk.publish(a.ref, a.actor, status=a.field("status"), text=a.field("text")),
    "tick": lambda a: a.desk.tick(a.ref, a.actor, item=a.field("item"), done=bool(a.field("done"))),
    "resolve": lambda a: a.desk.resolve(a.ref, a.actor, reason=a.field("reason")),
    "merge": _merge,
    "absorb": lambda a: a.desk.merging.merge(a.field("other"), a.actor, into=a.ref),
    "split": _split,
    "unrelated": lambda a: a.desk.merging.unrelated(a.ref, a.actor, other=a.field("other")),
    "note": lambda a: a.desk.note(a.ref, a.actor, text=a.field("text")),
    "facts": _facts,
    "add-item": _add_item,
    "finish-item": lambda a: a.desk.finish_action_item(a.ref, a.actor, item=a.field("item")),
    "reopen": lambda a: a.desk.reopen(a.ref, a.actor, reason=a.field("reason")),
    "close": lambda a: a.desk.close(a.ref, a.actor, reason=a.field("reason")),
}
"""What each form does, by the last part of its address."""
