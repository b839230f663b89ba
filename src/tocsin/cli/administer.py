"""`tocsin token` and `tocsin db`: work on the database itself, server running or not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tocsin.cli import opening
from tocsin.cli.complaints import FAILED, complain
from tocsin.config import Overrides
from tocsin.engine.credentials import API, RUNNER, mint
from tocsin.incident.policy import Role
from tocsin.store.errors import StoreError
from tocsin.store.status import status as look


def create_token(name: str, *, role: str, config: Path | None, database: str | None) -> int:
    """Prints the token alone on stdout; it is shown this once."""
    roles = [*(r.value for r in Role), RUNNER]
    if role not in roles:
        return complain(f"unknown role {role!r}: use one of {', '.join(roles)}")
    if not name.strip():
        return complain("a token needs a name: whose it is")
    try:
        store = opening.store(opening.settings(config, Overrides(database=database)))
    except opening.Refused as exc:
        return complain(*exc.lines)
    try:
        kind, given = (RUNNER, Role.VIEWER) if role == RUNNER else (API, Role(role))
        print(mint(store, name=name.strip(), role=given, kind=kind, now=datetime.now(UTC), lasts=None))
    except StoreError as exc:
        return complain(str(exc))
    finally:
        store.close()
    return 0


def list_tokens(*, config: Path | None, database: str | None) -> int:
    """Prints one line a credential: whose, what it may, of which kind, since when; never the credential itself."""
    try:
        store = opening.store(opening.settings(config, Overrides(database=database)))
    except opening.Refused as exc:
        return complain(*exc.lines)
    try:
        found = store.read(lambda tx: tx.all_tokens())
    except StoreError as exc:
        return complain(str(exc))
    finally:
        store.close()
    now = datetime.now(UTC)
    valid = [t for t in found if t.expires_at is None or t.expires_at > now]
    width = max((len(t.name) for t in valid), default=0)
    for t in valid:
        until = f"until {t.expires_at:%Y-%m-%d}" if t.expires_at else "until revoked"
        role = "" if t.kind == RUNNER else t.role
        print(f"{t.name:{width}}  {role:9}  {t.kind:7}  since {t.created_at:%Y-%m-%d}, {until}")
    return 0


def revoke_tokens(name: str, *, config: Path | None, database: str | None) -> int:
    """Ends every token, session and sign-in link of that name, at once, server running or not."""
    try:
        store = opening.store(opening.settings(config, Overrides(database=database)))
    except opening.Refused as exc:
        return complain(*exc.lines)
    try:
        mine = [t.hash for t in store.read(lambda tx: tx.all_tokens()) if t.name == name]
        if not mine:
            return complain(f"no credential of {name!r}: tocsin token list shows whose there are", code=FAILED)
        store.write(lambda tx: [tx.drop_token(hash_) for hash_ in mine]).result()
    except StoreError as exc:
        return complain(str(exc))
    finally:
        store.close()
    print(f"revoked {len(mine)} of {name}")
    return 0


def status(config: Path | None, *, database: str | None) -> int:
    """Prints how the database stands, one line a thing; changes nothing."""
    try:
        found = look(opening.settings(config, Overrides(database=database)).database.get_secret_value())
    except opening.Refused as exc:
        return complain(*exc.lines)
    except StoreError as exc:
        return complain(str(exc), code=FAILED)
    behind = (found.schema or "") < found.head
    remedy = "tocsin db upgrade brings it there" if behind else "a newer version brought it further, which is well"
    note = "" if found.schema == found.head else f" (this version's is {found.head}: {remedy})"
    print(f"database  {found.name}\nserver    {found.server}\nschema    {found.schema or 'none yet'}{note}")
    for replica in found.replicas:
        alive = f"alive since {replica.started_at:%Y-%m-%d %H:%M:%S}, last heard of {replica.beat_at:%H:%M:%S} UTC"
        print(f"replica   {replica.id}  tocsin {replica.version}  {alive}")
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
