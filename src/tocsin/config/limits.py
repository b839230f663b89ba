"""`[sources.limits]`: how often senders may ask."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.config.scalars import Count, Name
from tocsin.config.table import Table


class LimitsTable(Table):
    """`per_minute` requests of one sender with one credential; None is as many as it likes.

    `senders` has other numbers for single senders, by the name in their address.
    """

    per_minute: Count | None = None
    senders: Mapping[Name, Count] = {}
