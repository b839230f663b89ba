"""Which messages may leave now: each channel has hands of its own, and the last of them are for first pages. Pure.

A webhook that never answers holds the hands of its channel and no others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import IntEnum
from math import inf

from msgspec import Struct

REPEATS = "again:"
"""How the bundle of a page that is repeated begins; see `tocsin.store.rows.bundle_of`."""


class Rank(IntEnum):
    """The first page of an incident or rung; a page repeated by a person's own rules; what only informs."""

    FIRST = 0
    AGAIN = 1
    REST = 2


MOST = {Rank.FIRST: 16, Rank.AGAIN: 12, Rank.REST: 8}
"""A message of that rank is begun while fewer than so many are in hand on its channel."""


class Full(Struct, frozen=True):
    """The channels by which nothing may leave now; no repeated page; nothing that only informs."""

    all: frozenset[str] = frozenset()
    repeats: frozenset[str] = frozenset()
    rest: frozenset[str] = frozenset()

    def holds(self, channel: str, rank: Rank) -> bool:
        """Whether it keeps a message of that rank from leaving by the channel."""
        return channel in self.all or channel in {Rank.AGAIN: self.repeats, Rank.REST: self.rest}.get(rank, ())


class Slots:
    """Hand-overs in hand, by channel; used once, by who claims more."""

    def __init__(self, in_hand: Iterable[str] = (), *, closed: Iterable[str] = (), calm: float = inf) -> None:
        """`in_hand` names the channel of each hand-over under way, `closed` the channels that only pages may take.

        With more than `calm` first pages a storm begins: then all the rest waits.
        """
        self._in_hand = Counter(in_hand)
        self._closed = frozenset(closed)
        self._calm = calm

    @property
    def storm(self) -> bool:
        """Whether too many first pages leave for anything else to leave beside them."""
        return self._calm < 0

    def leaves(self, rank: Rank) -> None:
        """One message more leaves, by a hand that was taken."""
        self._calm -= rank is Rank.FIRST

    def take(self, channel: str, rank: Rank) -> bool:
        """Takes a hand for one more hand-over; False when none is free for that rank."""
        shut = rank is Rank.REST and (self.storm or channel in self._closed)
        if shut or self._in_hand[channel] >= MOST[rank]:
            return False
        self._in_hand[channel] += 1
        return True

    def full(self) -> Full:
        return Full(self._over(Rank.FIRST), self._over(Rank.AGAIN), self._over(Rank.REST) | self._closed)

    def _over(self, rank: Rank) -> frozenset[str]:
        return frozenset(channel for channel, count in self._in_hand.items() if count >= MOST[rank])


def rank_of(bundle: str, *, page: bool) -> Rank:
    """`bundle` is what the message may be handed over together with."""
    if not page:
        return Rank.REST
    return Rank.AGAIN if bundle.startswith(REPEATS) else Rank.FIRST
