"""What can go wrong with a database.

StoreError             one sentence with the remedy; `str()` is for a person
└── StoreUnavailable   it refuses now (locked, read-only, full, gone): what was asked was not done, ask again later
"""

from __future__ import annotations

from tocsin.engine.errors import Unavailable


class StoreError(Exception):
    pass


class StoreUnavailable(StoreError, Unavailable):
    pass
