"""The same stack is one alert, another stack another; traces come whole out of whatever pieces."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from listening import Listener, SetClock, running

from tocsin.incident.alert import Alert, AlertStatus
from tocsin.signals.exceptions import MOST_STACKS, TOO_MANY, ExceptionRule, ExceptionWatch

RULE = ExceptionRule(name="Exceptions", labels={"service": "cart"}, resolve_after=timedelta(minutes=5))


def trace(what: str = "apple", *, function: str = "total", line: int = 3) -> list[str]:
    frame = f'  File "/app/cart.py", line {line}, in {function}'
    return ["Traceback (most recent call last):", frame, "    x", f"ValueError: no {what}"]


class Written:
    """Batches of lines; between two of them the source looks empty, as often as the batch says."""

    def __init__(self, *batches: list[str]) -> None:
        self._batches = list(batches)

    async def more(self) -> list[str]:
        if not self._batches:
            await asyncio.Event().wait()
        return self._batches.pop(0)

    async def close(self) -> None:
        self._batches.clear()


def watch(lines: Written, listener: Listener, rule: ExceptionRule = RULE, **options: object) -> ExceptionWatch:
    clock = options.pop("clock", None) or SetClock()
    return ExceptionWatch(rule, lines, emit=listener.emit, clock=clock, on_trouble=listener.on_trouble, **options)  # type: ignore[arg-type]


async def alerts(lines: Written, count: int, rule: ExceptionRule = RULE) -> list[Alert]:
    listener = Listener()
    async with running(watch(lines, listener, rule).run()):
        found = [await listener.next() for _ in range(count)]
    assert listener.quiet
    return found


async def test_the_same_stack_is_one_alert_whatever_its_message_and_lines() -> None:
    (alert,) = await alerts(Written([*trace(), *trace("pear", line=9), "INFO"], [], []), 1)
    assert alert.labels["alertname"] == "Exceptions"
    assert (alert.labels["exception"], alert.labels["service"]) == ("ValueError", "cart")
    assert alert.annotations["summary"] == "Exceptions: ValueError in total (/app/cart.py)"
    assert alert.annotations["sample"].endswith("ValueError: no apple")


async def test_another_stack_is_another_alert() -> None:
    first, second = await alerts(Written([*trace(), *trace(function="pay"), "INFO"]), 2)
    assert first.fingerprint != second.fingerprint


async def test_a_trace_that_comes_in_pieces_is_whole() -> None:
    one, two, three, four = trace()
    (alert,) = await alerts(Written([one], [two], [], [three], [four], [], []), 1)
    assert alert.annotations["sample"] == "\n".join(trace())


async def test_pods_that_write_at_once_are_told_apart() -> None:
    mixed = [line for pair in zip(trace(), trace(function="pay"), strict=True) for line in pair]
    marked = [f"[pod/cart-{n % 2}/app] {line}" for n, line in enumerate(mixed)]
    first, second = await alerts(Written(marked, [], []), 2)
    assert {a.annotations["summary"].split()[3] for a in (first, second)} == {"total", "pay"}


async def test_only_so_many_of_one_stack_fire() -> None:
    rule = ExceptionRule(name="Exceptions", threshold=3)
    (alert,) = await alerts(Written([*trace(), *trace()], [], [], [*trace(function="pay"), *trace()], [], []), 1, rule)
    assert "3 times within 60 s" in alert.annotations["summary"]


async def test_a_stack_not_seen_for_long_enough_is_over_by_itself() -> None:
    rule = ExceptionRule(name="Exceptions", resolve_after=timedelta(0))
    fired, over = await alerts(Written(trace(), [], []), 2, rule)
    assert (over.status, over.fingerprint) == (AlertStatus.RESOLVED, fired.fingerprint)


async def test_one_left_firing_by_an_earlier_run_is_ended_and_not_told_twice() -> None:
    (left,) = await alerts(Written([*trace(), "INFO"]), 1)
    listener, clock = Listener(), SetClock()
    lines = Written(trace("plum"), [], [])
    async with running(watch(lines, listener, firing=[left], clock=clock).run()):
        await asyncio.sleep(0.05)
        assert listener.quiet
    clock.pass_(600)
    async with running(watch(Written([], []), listener, firing=[left], clock=clock).run()):
        assert (await listener.next()).status is AlertStatus.RESOLVED


async def test_secrets_are_taken_out_of_the_trace() -> None:
    listener = Listener()
    watched = watch(Written([*trace("hunter2"), "x"]), listener, redact=lambda text: text.replace("hunter2", "***"))
    async with running(watched.run()):
        assert "hunter2" not in repr(await listener.next())


async def test_more_different_stacks_than_can_be_followed_are_said_once() -> None:
    listener = Listener()
    many = [line for n in range(MOST_STACKS + 5) for line in trace(function=f"f{n}")]
    async with running(watch(Written([*many, "x"]), listener).run()):
        for _ in range(MOST_STACKS):
            await listener.next()
        await asyncio.sleep(0.01)
    assert listener.troubles == [("Exceptions", TOO_MANY)]
