"""The one thing to do now, as the top of a room says it."""

from __future__ import annotations

from tocsin.incident.state import Status
from tocsin.web.pages.room_view import Room


def next_move(room: Room) -> tuple[str, str]:
    """(what, anchor). The order is the runbook's: own it, settle what is unsure, approve, decide, verify, resolve."""
    i = room.incident
    states = {a.approval.status for a in room.waiting}
    tree_now = room.tree
    moves = (
        (i.merged_into is not None, ("Go on where it was merged into", "related")),
        (i.status is Status.CLOSED, ("Reviewed and closed", "after")),
        (room.over, ("Do what is owed after the incident", "after")),
        (i.status is Status.OPEN, ("Acknowledge: say that you own it", "top")),
        ("unknown" in states, ("Find out whether the mitigation took effect", "approvals")),
        ("pending" in states, ("A mitigation waits for approval", "approvals")),
        ("running" in states or "approved" in states, ("A mitigation is running", "approvals")),
        (i.status is Status.MONITORING and room.open_checks > 0, ("Work through the verification checklist", "end")),
        (i.status is Status.MONITORING and not room.missing, ("Everything is verified: resolve", "end")),
        (i.status is Status.MONITORING, ("Watch the fix", "end")),
        (tree_now is not None and tree_now.question is not None, ("Answer the decision tree", "decide")),
    )
    return next((said for holds, said in moves if holds), ("Stop the impact", "mitigate"))
