"""What the engine says no to, beside the incident's own refusals (`tocsin.incident.errors`).

NotFound      no such incident, procedure, mitigation, run ... (HTTP 404)
Unavailable   the database refuses now (HTTP 503): what was asked was not done, ask again later
└── Newer     a newer version of Tocsin has this incident in hand: its own replicas go on with it, ask again later
"""

from __future__ import annotations


class NotFound(Exception):
    pass


class Unavailable(Exception):
    """Base of what a storage raises when it cannot take or give anything now."""


class Newer(Unavailable):
    """Of one incident alone: the others go on."""
