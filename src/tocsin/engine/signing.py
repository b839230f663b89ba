"""Signed links: who holds one may do the one thing it says, as the one person it names."""

from __future__ import annotations

from itsdangerous import BadSignature, URLSafeTimedSerializer
from msgspec import Struct

from tocsin.incident.state import Approval, Incident

MAX_AGE_SECONDS = 7 * 24 * 3600


class Ticket(Struct, frozen=True):
    """What a link allows: acknowledging this incident, in this generation of it, as this person."""

    incident_id: str
    person: str
    generation: int


class ApprovalTicket(Struct, frozen=True):
    """What a link in a proposal allows: deciding this approval, of this very thing, as this person."""

    incident_id: str
    person: str
    approval: str
    binding: str


class Signer:
    """Makes and reads the links in messages. `public_url` has no trailing slash."""

    def __init__(self, secret: str, public_url: str) -> None:
        self._serializer = URLSafeTimedSerializer(secret, salt="tocsin.acknowledge")
        self._approvals = URLSafeTimedSerializer(secret, salt="tocsin.approve")
        self._public_url = public_url.rstrip("/")

    def acknowledge_url(self, incident: Incident, person: str) -> str:
        ticket = self._serializer.dumps([incident.id, person, incident.generation])
        return f"{self._public_url}/acknowledge/{ticket}"

    def read(self, ticket: str) -> Ticket | None:
        """The ticket, or None when it is forged, cut short or older than a week."""
        try:
            incident_id, person, generation = self._serializer.loads(ticket, max_age=MAX_AGE_SECONDS)
            return Ticket(str(incident_id), str(person), int(generation))
        except (BadSignature, ValueError, TypeError):
            return None

    def approve_url(self, incident: Incident, person: str, approval: Approval) -> str:
        ticket = self._approvals.dumps([incident.id, person, approval.id, approval.binding])
        return f"{self._public_url}/approve/{ticket}"

    def read_approval(self, ticket: str) -> ApprovalTicket | None:
        """The ticket, or None when it is forged, cut short or older than a week."""
        try:
            incident_id, person, approval, binding = self._approvals.loads(ticket, max_age=MAX_AGE_SECONDS)
            return ApprovalTicket(str(incident_id), str(person), str(approval), str(binding))
        except (BadSignature, ValueError, TypeError):
            return None
