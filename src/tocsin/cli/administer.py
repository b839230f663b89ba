"""`tocsin token create` and `tocsin db upgrade`: work on the database itself, server running or not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tocsin.cli import opening
from tocsin.cli.complaints import complain
from tocsin.config import Overrides
from tocsin.engine.credentials import API, mint
from tocsin.incident.policy import Role
from tocsin.store.errors import StoreError


def create_token(name: str, *, role: str, config: Path | None, database: str | None) -> int:
    """Prints the token alone on stdout; it is shown this once."""
    if role not in [r.value for r in Role]:
        return complain(f"unknown role {role!r}: use one of {', '.join(r.value for r in Role)}")
    if not name.strip():
        return complain("a token needs a name: whose it is")
    try:
        store = opening.store(opening.settings(config, Overrides(database=database)))
    except opening.Refused as exc:
        return complain(*exc.lines)
    try:
        print(mint(store, name=name.strip(), role=Role(role), kind=API, now=datetime.now(UTC), lasts=None))
    except StoreError as exc:
        return complain(str(exc))
    finally:
        store.close()
    return 0


def upgrade(config: Path | None, *, database: str | None) -> int:
    """Opening migrates; says what is in force now."""
    try:
        found = opening.settings(config, Overrides(database=database))
        opening.store(found).close()
    except opening.Refused as exc:
        return complain(*exc.lines)
    print("the database is at this version's schema")
    return 0
