"""Who is asking: API tokens, browser sessions, one-time sign-in links. Only their hashes are kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from tocsin.engine.core import Core
from tocsin.engine.records import Token
from tocsin.engine.storage import Storage
from tocsin.incident.policy import Actor, Role

SESSION_LASTS = timedelta(days=30)
LINK_LASTS = timedelta(hours=24)
API, SESSION, ONCE = "api", "session", "once"
RUNNER = "runner"
"""A runner near the cluster: takes steps to run, and opens nothing else."""


def digest(secret: str) -> str:
    """What is kept of a secret. The secrets are 256 random bits, so a plain sha256 cannot be guessed back."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def mint(storage: Storage, *, name: str, role: Role, kind: str, now: datetime, lasts: timedelta | None) -> str:
    """A new secret, durable when returned; shown this once. Needs no running server."""
    secret, token = _made(name, role, kind, now, lasts)
    storage.write(lambda tx: tx.put_token(token)).result()
    return secret


def _made(name: str, role: Role, kind: str, now: datetime, lasts: timedelta | None) -> tuple[str, Token]:
    secret = f"tocsin_{secrets.token_urlsafe(32)}"
    return secret, Token(digest(secret), name, role.value, kind, now, now + lasts if lasts else None)


class Credentials:
    """Asked on every request."""

    def __init__(self, core: Core, secret_key: str) -> None:
        self._core = core
        self._secret_key = secret_key.encode()

    async def check(self, secret: str, *kinds: str) -> Actor | None:
        """Whose secret it is, None when it is nobody's, of another kind, or has expired."""
        token = await self._core.read(lambda tx: tx.token(digest(secret))) if secret else None
        return self._actor(token) if token and token.kind in kinds and self._valid(token) else None

    async def start_session(self, name: str, role: Role) -> str:
        """A browser session's secret, for its cookie."""
        return await self._mint(name, role, SESSION, SESSION_LASTS)

    async def end_session(self, secret: str) -> None:
        await self._core.transact(lambda ledger: ledger.tx.drop_token(digest(secret)))

    async def invite(self, name: str, role: Role) -> str:
        """The secret of a link that signs in once."""
        return await self._mint(name, role, ONCE, LINK_LASTS)

    async def redeem(self, secret: str) -> Actor | None:
        """Uses up a one-time secret; None when it was used, has expired, or never was."""
        found = await self.check(secret, ONCE)
        if found is None:
            return None
        used = await self._core.transact(lambda ledger: ledger.tx.drop_token(digest(secret)))
        return found if used else None

    async def nobody_yet(self) -> bool:
        """Whether nobody has ever been given a way in: the first start."""
        counts = await self._core.read(lambda tx: (tx.tokens(API), tx.tokens(SESSION)))
        return not any(counts)

    def csrf(self, session: str) -> str:
        """The token that forms of this session carry."""
        return hmac.new(self._secret_key, b"csrf:" + digest(session).encode(), hashlib.sha256).hexdigest()

    def csrf_matches(self, session: str, given: str) -> bool:
        return hmac.compare_digest(self.csrf(session).encode(), given.encode("utf-8", "surrogatepass"))

    async def _mint(self, name: str, role: Role, kind: str, lasts: timedelta) -> str:
        secret, token = _made(name, role, kind, self._core.clock.now(), lasts)
        await self._core.transact(lambda ledger: ledger.tx.put_token(token))
        return secret

    def _valid(self, token: Token) -> bool:
        return token.expires_at is None or self._core.clock.now() < token.expires_at

    def _actor(self, token: Token) -> Actor:
        return Actor(token.name, Role(token.role))
