"""A short word for a pod template, equal for equal templates, a restart left out."""

from __future__ import annotations

import hashlib

import msgspec
from msgspec.structs import replace

from tocsin.diagnosis.facts import Template


def fingerprint(template: Template) -> str:
    bare = replace(template, restarted_at=None)
    return hashlib.sha256(msgspec.json.encode(bare, order="deterministic")).hexdigest()[:16]
