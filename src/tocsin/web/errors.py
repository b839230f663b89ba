"""What the web floor itself refuses; the floors below have refusals of their own (`problems` maps them all to HTTP).

RequestError
├── Unauthenticated   nobody we know is asking (HTTP 401): sign in, or send a token
├── BadRequest        the request cannot be read (HTTP 400)
├── BadField          a value of the request is wrong (HTTP 422); `name` says which
└── NotReady          a part of the house does not turn (HTTP 503)
"""

from __future__ import annotations


class RequestError(Exception):
    """Base of the refusals; `str()` is one sentence for a person."""


class Unauthenticated(RequestError):
    pass


class BadRequest(RequestError):
    pass


class BadField(RequestError):
    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


class NotReady(RequestError):
    pass
