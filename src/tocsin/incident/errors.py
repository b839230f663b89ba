"""What the incident's rules refuse.

IncidentError
├── TransitionError   the event or command is not for this status or state: try something else (HTTP 409)
├── CommandError      the command's own content is wrong: mend it (HTTP 422); `fields` names what and why
└── PermissionRefused this person may not (HTTP 403)
"""

from __future__ import annotations

from collections.abc import Mapping


class IncidentError(Exception):
    """Base of the refusals; `str()` is one sentence for a person."""


class TransitionError(IncidentError):
    pass


class CommandError(IncidentError):
    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = dict(fields or {})


class PermissionRefused(IncidentError):
    pass
