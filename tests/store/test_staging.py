"""What a transaction keeps until it ends: seen at once, undone job by job, written once."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from tocsin.engine.records import AlertRecord, Evidence, WorkItem
from tocsin.incident import events as e
from tocsin.incident.alert import Alert, AlertStatus
from tocsin.incident.fold import apply, begin
from tocsin.incident.state import Incident
from tocsin.incident.work import Execute, Send
from tocsin.store.database import Store
from tocsin.store.tx import Tx

NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)
LEASE = NOW + timedelta(seconds=30)


class Refused(Exception):
    pass


def opens(tx: Tx, number: int, *, service: str = "shop") -> Incident:
    entry = e.Entry(1, NOW, "Ana", e.Opened(f"Trouble {number}", "SEV1", "said", service, "declared", "d" * 64))
    incident = begin(f"id{number}", number, entry)
    tx.save(incident, lambda: None, new=True)
    tx.append(incident.id, [entry])
    return incident


def notes(tx: Tx, incident: Incident, text: str) -> Incident:
    entry = e.Entry(incident.version + 1, NOW, "Ana", e.Noted(text))
    after = apply(incident, entry)
    tx.save(after, lambda: None, new=False)
    tx.append(incident.id, [entry])
    return after


def record(fingerprint: str, *, seen: datetime = NOW, summary: str = "slow") -> AlertRecord:
    alert = Alert(fingerprint, AlertStatus.FIRING, {"alertname": "Slow"}, {"summary": summary}, NOW, None, "test")
    return AlertRecord(alert, None, NOW, seen)


def page(key: str, person: str) -> tuple[str, str, Send]:
    return (key, "sms", Send("page", key, "SEV1", "text", "On-call", person))


def claim(tx: Tx, *, limit: int = 10, busy: tuple[tuple[str, str], ...] = (), in_hand: tuple[int, ...] = (),
          now: datetime = NOW) -> list[WorkItem]:  # fmt: skip
    return tx.claim(
        now=now, lease_until=now + timedelta(seconds=30), owner="one", kinds=("send", "execute"), limit=limit,
        busy=busy, in_hand=in_hand,
    )  # fmt: skip


def test_what_is_staged_is_seen_by_who_staged_it(store: Store) -> None:
    def some(tx: Tx) -> None:
        incident = notes(tx, opens(tx, 1), "looking")
        tx.put_alert(record("a"), new=True)
        assert tx.incident("id1") == tx.incident_numbered(1) == tx.open_incident_of("shop") == incident
        assert tx.alert("a") == record("a")
        assert tx.next_number() == 2

    store.write(some).result()
    assert [x.seq for x in store.read(lambda tx: tx.timeline("id1"))] == [1, 2]


def evidence(id_: str, incident: Incident) -> Evidence:
    return Evidence(id_, incident.id, "1", 1, "t", "c", "ok", "", 0, f"out of {id_}", "", 0, NOW, NOW, "d")


def test_evidence_is_seen_before_it_is_sent_and_undone_with_its_stage(store: Store) -> None:
    def some(tx: Tx) -> None:
        incident = opens(tx, 1)
        tx.put_evidence(evidence("e1", incident))
        with suppress(Refused), tx.stage():
            tx.put_evidence(evidence("e2", incident))
            assert tx.evidence("e2") is not None
            raise Refused
        assert tx.evidence("e2") is None
        assert tx.evidence("e1") == evidence("e1", incident)
        assert tx.evidence_of("id1") == [evidence("e1", incident)]
        with tx.stage():
            tx.put_evidence(evidence("e3", incident))

    store.write(some).result()
    assert [x.id for x in store.read(lambda tx: tx.evidence_of("id1"))] == ["e1", "e3"]


def test_an_incident_that_opened_is_its_services_after_it_was_sent(store: Store) -> None:
    def some(tx: Tx) -> None:
        assert tx.open_incident_of("shop") is None
        first = opens(tx, 1)
        tx.flush()
        assert tx.open_incident_of("shop") == first
        second = opens(tx, 2)
        tx.flush()
        assert tx.open_incident_of("shop") == second

    store.write(some).result()


def test_a_stage_that_raises_is_undone_alone(store: Store) -> None:
    def some(tx: Tx) -> None:
        incident = opens(tx, 1)
        with suppress(Refused), tx.stage():
            notes(tx, incident, "half")
            opens(tx, 2)
            raise Refused
        notes(tx, incident, "whole")
        opens(tx, 2, service="other")

    store.write(some).result()
    assert [x.event for x in store.read(lambda tx: tx.timeline("id1"))][1:] == [e.Noted("whole")]
    assert [i.service for i in store.read(lambda tx: tx.incidents())] == ["other", "shop"]


def test_a_stage_that_had_been_sent_is_undone_too(store: Store) -> None:
    def some(tx: Tx) -> None:
        incident = opens(tx, 1)
        with suppress(Refused), tx.stage():
            notes(tx, incident, "half")
            tx.put_setting("a", "x")
            assert len(tx.timeline("id1")) == 2
            raise Refused
        assert tx.incident("id1") == incident
        assert len(tx.timeline("id1")) == 1
        assert tx.setting("a") is None
        notes(tx, incident, "whole")

    store.write(some).result()
    assert store.read(lambda tx: tx.incident("id1")).version == 2  # type: ignore[union-attr]


def test_an_inner_stage_is_undone_with_the_outer_one(store: Store) -> None:
    def some(tx: Tx) -> None:
        with suppress(Refused), tx.stage():
            with tx.stage():
                opens(tx, 1)
            raise Refused
        assert tx.open_incident_of("shop") is None

    store.write(some).result()
    assert store.read(lambda tx: tx.incidents()) == []


def test_an_alert_told_alike_again_is_only_seen_again(store: Store) -> None:
    later = NOW + timedelta(minutes=1)
    store.write(lambda tx: tx.put_alert(record("a"), new=True)).result()

    def again(tx: Tx) -> None:
        assert tx.alert("a") == record("a")
        tx.put_alert(record("a", seen=later), new=False)
        tx.flush()
        tx.put_alert(record("a", seen=later, summary="slower"), new=False)

    store.write(again).result()
    assert store.read(lambda tx: tx.alert("a")) == record("a", seen=later, summary="slower")


@pytest.mark.parametrize(("later", "kept"), [(0.999, 0.0), (1.0, 1.0), (-0.5, -0.5)])
def test_when_an_alert_was_last_seen_is_kept_to_the_second(store: Store, later: float, kept: float) -> None:
    store.write(lambda tx: tx.put_alert(record("a"), new=True)).result()
    again = record("a", seen=NOW + timedelta(seconds=later))

    def seen_again(tx: Tx) -> None:
        assert tx.alert("a") == record("a")
        tx.put_alert(again, new=False)

    store.write(seen_again).result()
    assert store.read(lambda tx: tx.alert("a")) == record("a", seen=NOW + timedelta(seconds=kept))


def test_an_alert_told_otherwise_within_the_second_is_kept_as_told(store: Store) -> None:
    store.write(lambda tx: tx.put_alert(record("a"), new=True)).result()
    other = record("a", seen=NOW + timedelta(milliseconds=1), summary="slower")

    def told(tx: Tx) -> None:
        assert tx.alert("a") == record("a")
        tx.put_alert(other, new=False)

    store.write(told).result()
    assert store.read(lambda tx: tx.alert("a")) == other


def test_messages_to_one_person_by_one_channel_are_taken_together(store: Store) -> None:
    def some(tx: Tx) -> None:
        opens(tx, 1)
        tx.enqueue("id1", [("run", "", Execute("1")), page("a", "ana"), page("b", "ben"), page("c", "ana")], now=NOW)

    store.write(some).result()
    taken = store.write(lambda tx: claim(tx, limit=2)).result()
    assert [i.idempotency_key for i in taken] == ["a", "b", "c"]
    assert [i.idempotency_key for i in store.write(claim).result()] == ["run"]


def test_who_is_being_told_already_is_left_alone(store: Store) -> None:
    def some(tx: Tx) -> None:
        opens(tx, 1)
        tx.enqueue("id1", [page("a", "ana"), page("b", "ben")], now=NOW)

    store.write(some).result()
    busy = (("sms", "page:ana"),)
    assert store.read(lambda tx: tx.agenda(("send",))).work == {"send": NOW}
    assert [i.idempotency_key for i in store.write(lambda tx: claim(tx, busy=busy)).result()] == ["b"]
    assert store.read(lambda tx: tx.agenda(("send",), busy)).work == {"send": LEASE}


def test_what_the_owner_has_in_hand_is_not_taken_again(store: Store) -> None:
    def some(tx: Tx) -> None:
        opens(tx, 1)
        tx.enqueue("id1", [page("a", "ana")], now=NOW)

    store.write(some).result()
    (item,) = store.write(claim).result()
    assert store.write(lambda tx: claim(tx, now=LEASE, in_hand=(item.id,))).result() == []
    assert [i.uncertain for i in store.write(lambda tx: claim(tx, now=LEASE)).result()] == [True]


def test_what_was_sent_ahead_is_seen_and_gone_on_with(store: Store) -> None:
    def some(tx: Tx) -> None:
        incident = notes(tx, opens(tx, 1), "first")
        tx.ahead()
        incident = notes(tx, incident, "second")
        tx.ahead()
        assert tx.incident("id1") == incident
        assert [x.seq for x in tx.timeline("id1")] == [1, 2, 3]
        tx.ahead()
        notes(tx, incident, "third")

    store.write(some).result()
    assert [x.seq for x in store.read(lambda tx: tx.timeline("id1"))] == [1, 2, 3, 4]


def test_what_a_stage_sent_ahead_is_undone_with_it(store: Store) -> None:
    def some(tx: Tx) -> None:
        incident = opens(tx, 1)
        tx.ahead()
        with suppress(Refused), tx.stage():
            notes(tx, incident, "half")
            tx.ahead()
            raise Refused
        with tx.stage():
            notes(tx, incident, "whole")
            tx.ahead()

    store.write(some).result()
    assert [x.event for x in store.read(lambda tx: tx.timeline("id1"))][1:] == [e.Noted("whole")]
    store.write(lambda tx: opens(tx, 2)).result()
    assert [i.number for i in store.read(lambda tx: tx.incidents())] == [2, 1]
