"""What the engine says no to, beside the incident's own refusals (`tocsin.incident.errors`).

NotFound   no such incident, procedure, mitigation, run ... (HTTP 404)
"""

from __future__ import annotations


class NotFound(Exception):
    pass
