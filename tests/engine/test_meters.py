"""What the engine counts of itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tocsin.engine.meters import MOST_LABELS, OTHER, Counter, Histogram, Meters


def test_a_bound_belongs_to_its_bucket() -> None:
    histogram = Histogram((0.1, 1.0))
    for value in (0.1, 0.11, 1.0, 1.01):
        histogram.observe(value)
    assert histogram.read().below == (1, 3)
    assert histogram.read().count == 4


def test_what_is_early_counts_as_in_time() -> None:
    histogram = Histogram((0.1,))
    histogram.observe(-5.0, times=3)
    assert (histogram.read().below, histogram.read().sum) == ((3,), 0.0)


def test_labels_stay_bounded_whatever_is_counted() -> None:
    counter = Counter()
    for n in range(MOST_LABELS + 10):
        counter.add(f"channel {n}", "failed")
    assert len(counter.read()) == MOST_LABELS + 1
    assert counter.of(OTHER, OTHER) == 10


def test_threads_lose_no_count() -> None:
    meters = Meters()

    def commit_often(_: int) -> None:
        for _ in range(500):
            meters.committed(8, 0.001)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(commit_often, range(4)))
    assert meters.commit_jobs.read().count == 2000


def test_work_of_an_unknown_kind_is_not_counted() -> None:
    meters = Meters()
    meters.begun("send", 0.2)
    meters.begun("dance", 0.2)
    assert {kind: h.read().count for kind, h in meters.begun_late.items()} == {"send": 1, "execute": 0, "mitigate": 0}
