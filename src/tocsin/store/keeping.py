"""Statements on what is kept beside timelines: evidence, documents, credentials, answers given, settings."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, insert, select, update

from tocsin.engine.records import Answered, Evidence, Token
from tocsin.store import schema as t
from tocsin.store.part import Part
from tocsin.store.rows import EVIDENCE, json
from tocsin.store.staging import Layer
from tocsin.store.times import from_db, to_db


class Keeping(Part):
    """The part of a transaction that is not staged, but for evidence: each statement is sent at once."""

    _layers: list[Layer]
    _settings: dict[str, str | None]

    def put_evidence(self, evidence: Evidence) -> None:
        row = {
            "id": evidence.id,
            "incident_id": evidence.incident_id,
            "at": to_db(evidence.ended_at),
            "data": json(evidence),
        }
        self._layers[-1].evidence[evidence.id] = row

    def evidence(self, id_: str) -> Evidence | None:
        for layer in reversed(self._layers):
            if id_ in layer.evidence:
                return EVIDENCE.decode(layer.evidence[id_]["data"])
        data = self._c.execute(select(t.evidence.c.data).where(t.evidence.c.id == id_)).scalar()
        return None if data is None else EVIDENCE.decode(data)

    def evidence_of(self, incident_id: str) -> list[Evidence]:
        wanted = select(t.evidence.c.data).where(t.evidence.c.incident_id == incident_id).order_by(t.evidence.c.at)
        return [EVIDENCE.decode(data) for data in self._settled().execute(wanted).scalars()]

    def put_runbook(self, digest: str, file: str, text: str, now: datetime) -> None:
        """Keeps a document under its digest; one that is there already is left alone."""
        if self.runbook(digest) is None:
            self._settled().execute(insert(t.runbook), {"digest": digest, "file": file, "text": text, "at": to_db(now)})

    def runbook(self, digest: str) -> tuple[str, str] | None:
        """(file, text) of a kept document."""
        row = self._c.execute(select(t.runbook.c.file, t.runbook.c.text).where(t.runbook.c.digest == digest)).first()
        return None if row is None else (row.file, row.text)

    def put_token(self, token: Token) -> None:
        row = {
            "hash": token.hash,
            "name": token.name,
            "role": token.role,
            "kind": token.kind,
            "created_at": to_db(token.created_at),
            "expires_at": to_db(token.expires_at),
        }
        self._settled().execute(insert(t.token), row)

    def token(self, hash_: str) -> Token | None:
        row = self._c.execute(select(t.token).where(t.token.c.hash == hash_)).first()
        if row is None:
            return None
        return Token(row.hash, row.name, row.role, row.kind, from_db(row.created_at), from_db(row.expires_at))

    def drop_token(self, hash_: str) -> bool:
        return bool(self._settled().execute(delete(t.token).where(t.token.c.hash == hash_)).rowcount)

    def all_tokens(self) -> list[Token]:
        """Every credential, oldest first."""
        rows = self._c.execute(select(t.token).order_by(t.token.c.created_at)).all()
        return [Token(r.hash, r.name, r.role, r.kind, from_db(r.created_at), from_db(r.expires_at)) for r in rows]

    def tokens(self, kind: str) -> int:
        return self._c.execute(select(func.count()).where(t.token.c.kind == kind)).scalar() or 0

    def answered(self, key: str) -> Answered | None:
        row = self._c.execute(select(t.idempotency).where(t.idempotency.c.key == key)).first()
        return None if row is None else Answered(row.key, row.request, row.status, row.body, from_db(row.at))

    def put_answered(self, answer: Answered) -> None:
        row = {
            "key": answer.key,
            "request": answer.request,
            "status": answer.status,
            "body": answer.body,
            "at": to_db(answer.at),
        }
        self._settled().execute(insert(t.idempotency), row)

    def forget_answers(self, before: datetime) -> None:
        self._settled().execute(delete(t.idempotency).where(t.idempotency.c.at < to_db(before)))

    def setting(self, name: str) -> str | None:
        if name not in self._settings:  # asked for each of a storm's alerts
            self._settings[name] = self._c.execute(select(t.setting.c.value).where(t.setting.c.name == name)).scalar()
        return self._settings[name]

    def put_setting(self, name: str, value: str) -> None:
        if self.setting(name) is None:
            self._settled().execute(insert(t.setting), {"name": name, "value": value})
        else:
            self._settled().execute(update(t.setting).where(t.setting.c.name == name), {"value": value})
        self._settings[name] = value
