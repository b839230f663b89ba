"""What is kept comes back as it was: timelines, incidents, alerts, work, evidence, credentials."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from databases import elsewhere
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.engine.records import AlertRecord, Answered, Evidence, Token
from tocsin.incident import events as e
from tocsin.incident.alert import Alert, AlertStatus
from tocsin.incident.fold import apply, begin, fold
from tocsin.incident.state import Incident
from tocsin.incident.work import Execute, Mitigate, Send, Work
from tocsin.store.database import Store
from tocsin.store.times import from_db, to_db
from tocsin.store.tx import Tx

NOW = datetime(2026, 1, 5, 3, 0, 0, 123456, tzinfo=UTC)
LATER = NOW + timedelta(seconds=30)
KINDS = ("send", "execute", "mitigate")


def opened(number: int = 1, *, title: str = "Checkout is down", service: str = "shop") -> e.Entry:
    return e.Entry(1, NOW, "Ana", e.Opened(title, f"SEV{number}", "said", service, "declared", "d" * 64))


def keep(tx: Tx, *, number: int = 1, due: datetime | None = None, title: str = "Checkout is down") -> Incident:
    """An incident of one event, stored."""
    entry = opened(number, title=title)
    incident = begin(f"id{number}", number, entry)
    tx.save(incident, lambda: due, new=True)
    tx.append(incident.id, [entry])
    return incident


def send(key: str = "opened") -> Send:
    return Send("page", key, "SEV1", "text", "On-call", "ana", ("email",), only_while_open=True)


def queue(tx: Tx, *items: tuple[str, Work], now: datetime = NOW) -> None:
    tx.enqueue("id1", [(key, "email", work) for key, work in items], now=now)


def claim(tx: Tx, *, now: datetime = NOW, owner: str = "one", limit: int = 10) -> list[tuple[str, int, bool]]:
    """(key, attempt, uncertain) of what could be taken."""
    items = tx.claim(now=now, lease_until=now + timedelta(seconds=30), owner=owner, kinds=KINDS, limit=limit)
    return [(i.idempotency_key, i.attempt, i.uncertain) for i in items]


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_comes_back_to_the_microsecond(at: datetime) -> None:
    assert from_db(to_db(at)) == at


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_instants_keep_their_order(a: datetime, b: datetime) -> None:
    assert (a < b) == (to_db(a) < to_db(b))


def test_no_instant_is_none() -> None:
    assert (to_db(None), from_db(None)) == (None, None)


def test_an_incident_comes_back_by_id_and_number(store: Store) -> None:
    kept = store.write(keep).result()
    assert store.read(lambda tx: tx.incident("id1")) == kept
    assert store.read(lambda tx: tx.incident_numbered(1)) == kept
    assert store.read(lambda tx: (tx.incident("1"), tx.incident_numbered(2))) == (None, None)
    assert store.read(lambda tx: tx.next_number()) == 2


def test_any_text_comes_back_as_it_was(store: Store) -> None:
    title = "наклон \u202e \U0001f525 'quoted\" \\ \x07 %_"
    store.write(lambda tx: keep(tx, title=title)).result()
    assert store.read(lambda tx: tx.incidents(text="%_"))[0].title == title
    assert store.read(lambda tx: tx.timeline("id1"))[0].event.title == title  # type: ignore[union-attr]


def test_incidents_are_found_newest_first_by_severity_text_and_place(store: Store) -> None:
    def some(tx: Tx) -> None:
        for n in range(1, 5):
            keep(tx, number=n, title="Search is slow" if n % 2 else "Checkout is down")

    store.write(some).result()
    assert [i.number for i in store.read(lambda tx: tx.incidents())] == [4, 3, 2, 1]
    assert [i.number for i in store.read(lambda tx: tx.incidents(text="SLOW"))] == [3, 1]
    assert [i.number for i in store.read(lambda tx: tx.incidents(severity="SEV2"))] == [2]
    assert [i.number for i in store.read(lambda tx: tx.incidents(below=3, limit=1))] == [2]
    assert store.read(lambda tx: tx.incidents(over=True)) == []
    assert len(store.read(lambda tx: tx.incidents(over=False))) == 4


def test_what_is_due_is_found_at_its_instant_longest_waiting_first(store: Store) -> None:
    def some(tx: Tx) -> None:
        keep(tx, number=1, due=LATER)
        keep(tx, number=2, due=NOW)
        keep(tx, number=3, due=None)

    store.write(some).result()
    assert store.read(lambda tx: tx.due(LATER, 10)) == ["id2", "id1"]
    assert store.read(lambda tx: tx.due(LATER - timedelta(microseconds=1), 10)) == ["id2"]
    assert store.read(lambda tx: tx.due(LATER, 1)) == ["id2"]
    assert store.read(lambda tx: tx.next_due_at()) == NOW
    store.write(lambda tx: tx.postpone("id2", LATER + timedelta(hours=1))).result()
    assert store.read(lambda tx: tx.next_due_at()) == LATER


def test_a_timeline_of_5000_events_loses_nothing(store: Store) -> None:
    first = opened()
    entries = [first] + [
        e.Entry(n, NOW + timedelta(microseconds=n), "Ana", e.Noted(f"note {n}")) for n in range(2, 5001)
    ]
    incident = fold("id1", 1, entries)

    def some(tx: Tx) -> None:
        tx.save(begin("id1", 1, first), lambda: None, new=True)
        tx.append("id1", entries)
        tx.save(incident, lambda: None, new=False)

    store.write(some).result()
    kept = store.read(lambda tx: tx.timeline("id1"))
    assert kept == entries
    assert fold("id1", 1, kept) == store.read(lambda tx: tx.incident("id1")) == incident
    assert [x.seq for x in store.read(lambda tx: tx.timeline("id1", after=4990, limit=3))] == [4991, 4992, 4993]


def test_an_event_of_a_newer_version_is_left_out_and_the_rest_goes_on(store: Store) -> None:
    store.write(keep).result()
    newer = '{"type": "Foreseen", "by": "a later version"}'
    elsewhere(store.url, f"INSERT INTO event (incident_id, seq, at, actor, data) VALUES ('id1', 2, 0, 'x', '{newer}')")
    store.write(lambda tx: tx.append("id1", [e.Entry(3, NOW, "Ana", e.Noted("after it"))])).result()
    timeline = store.read(lambda tx: tx.timeline("id1"))
    assert [x.seq for x in timeline] == [1, 3]
    assert apply(fold("id1", 1, timeline[:1]), timeline[1]).version == 3


def test_an_event_cannot_stand_at_a_place_that_is_taken(store: Store) -> None:
    from sqlalchemy.exc import IntegrityError

    store.write(keep).result()
    with pytest.raises(IntegrityError):
        store.write(lambda tx: tx.append("id1", [e.Entry(1, NOW, "Ben", e.Noted("me first"))])).result()


def test_the_stream_of_all_incidents_only_grows(store: Store) -> None:
    def some(tx: Tx) -> None:
        keep(tx, number=1)
        keep(tx, number=2)
        tx.append("id1", [e.Entry(2, NOW, "Ana", e.Noted("more"))])

    store.write(some).result()
    stream = store.read(lambda tx: tx.published(0))
    assert [(p.number, p.seq) for p in stream] == [(1, 1), (2, 1), (1, 2)]
    assert stream[-1].position == store.read(lambda tx: tx.last_position())
    assert store.read(lambda tx: tx.published(stream[1].position)) == stream[2:]


def test_alerts_come_back_and_are_found(store: Store) -> None:
    def record(n: int, status: AlertStatus) -> AlertRecord:
        ended = LATER if status is AlertStatus.RESOLVED else None
        alert = Alert(f"f{n}", status, {"alertname": f"A{n}", "pod": "b"}, {"summary": "s"}, NOW, ended, "test")
        return AlertRecord(alert, "id1" if n == 1 else None, NOW + timedelta(seconds=n), LATER)

    first, second = record(1, AlertStatus.FIRING), record(2, AlertStatus.RESOLVED)

    def some(tx: Tx) -> None:
        keep(tx)
        tx.put_alert(first, new=True)
        tx.put_alert(second, new=True)

    store.write(some).result()
    assert store.read(lambda tx: tx.alert("f2")) == second
    assert store.read(lambda tx: tx.alerts(incident_id="id1")) == [first]
    assert store.read(lambda tx: tx.alerts(status=AlertStatus.RESOLVED)) == [second]
    assert store.read(lambda tx: tx.alerts(text="a2")) == [second]
    assert store.read(lambda tx: tx.alerts(skip=1)) == [second]


def test_pages_are_taken_first_then_the_oldest_and_all_comes_back_whole(store: Store) -> None:
    def some(tx: Tx) -> None:
        keep(tx)
        queue(tx, ("later", send("b")), now=NOW + timedelta(seconds=1))
        queue(tx, ("run", Execute("1")), ("change", Mitigate("2")), ("page", send()))

    store.write(some).result()
    taken = store.write(lambda tx: tx.claim(now=LATER, lease_until=LATER, owner="one", kinds=KINDS, limit=10)).result()
    assert [i.work for i in taken] == [send(), send("b"), Execute("1"), Mitigate("2")]
    assert [i.channel for i in taken] == ["email"] * 4


def test_work_is_taken_by_kind_and_never_twice(store: Store) -> None:
    def some(tx: Tx) -> None:
        keep(tx)
        queue(tx, ("a", send()), ("b", Execute("1")))

    store.write(some).result()
    assert store.read(lambda tx: tx.next_work_at(("mitigate",))) is None
    assert store.read(lambda tx: tx.next_work_at(("execute",))) == NOW
    assert store.write(lambda tx: claim(tx, limit=1)).result() == [("a", 1, False)]
    assert store.write(claim).result() == [("b", 1, False)]
    assert store.write(claim).result() == []


def test_a_key_that_stands_there_is_left_alone_even_in_one_batch(store: Store) -> None:
    def some(tx: Tx) -> None:
        keep(tx)
        queue(tx, ("a", send("first")), ("a", send("second")))
        queue(tx, ("a", send("third")), ("b", send("fourth")))

    store.write(some).result()
    taken = store.write(lambda tx: tx.claim(now=NOW, lease_until=LATER, owner="o", kinds=KINDS, limit=9)).result()
    assert [i.work for i in taken] == [send("first"), send("fourth")]


def test_a_lease_that_ran_out_comes_back_as_uncertain_and_its_first_owner_is_fenced_off(store: Store) -> None:
    def some(tx: Tx) -> None:
        keep(tx)
        queue(tx, ("a", send()))

    store.write(some).result()
    store.write(claim).result()
    assert store.write(lambda tx: claim(tx, now=LATER - timedelta(microseconds=1), owner="two")).result() == []
    assert store.write(lambda tx: claim(tx, now=LATER, owner="two")).result() == [("a", 2, True)]
    assert store.write(lambda tx: tx.finish(1, owner="one", state="done")).result() is False
    later = LATER + timedelta(hours=1)
    store.write(lambda tx: tx.renew_all([1], owner="one", lease_until=later)).result()
    assert store.read(lambda tx: tx.next_work_at()) == LATER + timedelta(seconds=30)
    assert store.write(lambda tx: tx.finish(1, owner="two", state="done")).result() is True
    assert store.read(lambda tx: tx.work_counts()) == {"done": 1}


def test_work_given_back_is_due_again_at_its_time_and_stays_uncertain_once_it_was(store: Store) -> None:
    def some(tx: Tx) -> None:
        keep(tx)
        queue(tx, ("a", send()))
        claim(tx)
        tx.finish(1, owner="one", state="pending", next_at=LATER)

    store.write(some).result()
    assert store.write(claim).result() == []
    assert store.write(lambda tx: claim(tx, now=LATER)).result() == [("a", 2, False)]
    store.write(lambda tx: tx.finish(1, owner="one", state="pending", next_at=LATER, uncertain=True)).result()
    assert store.write(lambda tx: claim(tx, now=LATER)).result() == [("a", 3, True)]


def test_a_new_process_takes_up_what_the_last_one_had_in_hand(store: Store) -> None:
    def some(tx: Tx) -> None:
        keep(tx)
        queue(tx, ("a", send()), ("b", Execute("1")))
        claim(tx, limit=1)

    store.write(some).result()
    assert store.write(lambda tx: tx.release_all(NOW)).result() == 1
    assert store.write(lambda tx: claim(tx, owner="two")).result() == [("a", 2, True), ("b", 1, False)]


def test_evidence_runbooks_credentials_answers_and_settings_come_back(store: Store) -> None:
    evidence = Evidence("e1", "id1", "1", 1, "t", "c", "ok", "", 0, "out", "err", 0, NOW, LATER, "d")
    token = Token("h", "Ana", "responder", "api", NOW, None)
    answer = Answered("k", "r", 201, "{}", NOW)

    def some(tx: Tx) -> None:
        keep(tx)
        tx.put_evidence(evidence)
        tx.put_runbook("d1", "a.md", "first", NOW)
        tx.put_runbook("d1", "b.md", "second", NOW)
        tx.put_token(token)
        tx.put_answered(answer)
        tx.put_setting("s", "1")
        tx.put_setting("s", "2")

    store.write(some).result()
    assert store.read(lambda tx: (tx.evidence("e1"), tx.evidence_of("id1"))) == (evidence, [evidence])
    assert store.read(lambda tx: (tx.runbook("d1"), tx.runbook("d2"))) == (("a.md", "first"), None)
    assert store.read(lambda tx: (tx.token("h"), tx.tokens("api"), tx.tokens("session"))) == (token, 1, 0)
    assert store.read(lambda tx: (tx.answered("k"), tx.setting("s"))) == (answer, "2")
    assert store.write(lambda tx: (tx.drop_token("h"), tx.drop_token("h"))).result() == (True, False)
    store.write(lambda tx: tx.forget_answers(LATER)).result()
    assert store.read(lambda tx: tx.answered("k")) is None


@settings(max_examples=15, deadline=None)
@given(st.text(max_size=80), st.datetimes(timezones=st.just(UTC)))
def test_any_entry_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, said: str, at: datetime) -> None:
    said = said.encode("utf-8", "replace").decode()
    entry = e.Entry(2, at, said or "Ana", e.Posted("Update", said, (said,)))
    with closing(_shared(tmp_path_factory)) as store:
        store.write(lambda tx: tx.append(_fresh(tx), [entry])).result()
        incident = store.read(lambda tx: tx.incidents(limit=1))[0]
        assert store.read(lambda tx: tx.timeline(incident.id))[1] == entry


def _shared(factory: pytest.TempPathFactory) -> Store:
    return Store(f"sqlite:///{factory.getbasetemp()}/any-entry.db")


def _fresh(tx: Tx) -> str:
    return keep(tx, number=tx.next_number()).id


def test_a_number_too_large_for_a_database_is_nobodys(store: Store) -> None:
    beyond = 10**30
    assert store.read(lambda tx: tx.incident_numbered(beyond)) is None
    assert store.read(lambda tx: tx.incidents(below=beyond)) == []
    assert store.read(lambda tx: tx.timeline("1", after=beyond)) == []
