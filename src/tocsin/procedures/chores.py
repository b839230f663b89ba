"""Blocking chores of running steps, done in two threads of their own.

The event loop's usual threads read the database for the API: steps that begin and end by the dozen must not fill them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
THREADS = 2


class Chores:
    """Does blocking work apart; the threads begin with the first of it."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="tocsin-steps")

    async def do(self, chore: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """What the chore gives."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: chore(*args, **named))
