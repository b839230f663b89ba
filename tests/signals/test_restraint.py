"""Reports of strangers are bounded, by address and all together; those of people signed in are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tocsin.signals.restraint import ALL, EACH, EACH_WITHIN, Restraint

NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)


def test_one_address_may_send_a_few_and_again_after_a_while() -> None:
    restraint = Restraint()
    assert [restraint.allows("a", NOW) for _ in range(EACH + 1)] == [True] * EACH + [False]
    assert restraint.allows("b", NOW)
    assert not restraint.allows("a", NOW + EACH_WITHIN - timedelta(seconds=1))
    assert restraint.allows("a", NOW + EACH_WITHIN)


def test_all_together_may_send_only_so_many() -> None:
    restraint = Restraint()
    sent = [restraint.allows(f"address {n}", NOW + timedelta(seconds=n)) for n in range(ALL + 5)]
    assert sent.count(True) == ALL
    assert sent[-1] is False


def test_what_is_refused_is_not_counted() -> None:
    restraint = Restraint()
    for _ in range(EACH * 3):
        restraint.allows("a", NOW)
    assert restraint.allows("a", NOW + EACH_WITHIN)
