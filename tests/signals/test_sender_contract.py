"""What every sender's module holds to: the same body is the same alert, an end is its end, garbage is named."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from senders import SOURCES, Body, Sender

from tocsin.incident.alert import AlertStatus
from tocsin.signals.errors import SignalError

every = pytest.mark.parametrize("sender", SOURCES, ids=str)


@every
def test_a_firing_alert_says_what_since_when_and_from_whom(sender: Sender) -> None:
    (alert,) = sender.alerts(sender.fires)
    assert (alert.status, alert.ends_at) == (AlertStatus.FIRING, None)
    assert alert.starts_at.tzinfo is UTC
    assert alert.source
    assert alert.labels["alertname"]
    assert alert.annotations["summary"]


@every
def test_the_same_body_is_the_same_alert_and_another_thing_another(sender: Sender) -> None:
    (alert,), (again,), (other,) = (sender.alerts(body) for body in (sender.fires, sender.fires, sender.other))
    assert alert.fingerprint == again.fingerprint != other.fingerprint


@pytest.mark.parametrize("sender", [s for s in SOURCES if s.over is not None], ids=str)
def test_an_end_is_the_end_of_the_alert_that_began(sender: Sender) -> None:
    assert sender.over is not None
    (began,), (ended,) = sender.alerts(sender.fires), sender.alerts(sender.over)
    assert (ended.status, ended.fingerprint) == (AlertStatus.RESOLVED, began.fingerprint)
    assert ended.ends_at is not None
    assert ended.starts_at >= began.starts_at


@pytest.mark.parametrize("sender", [s for s in SOURCES if not s.begins_whole], ids=str)
def test_a_body_cut_off_anywhere_is_refused(sender: Sender) -> None:
    body = json.dumps(sender.fires).encode()
    for length in range(len(body)):
        with pytest.raises(SignalError):
            sender.decode(body[:length])


@every
@pytest.mark.parametrize(
    "body", [b"", b"null", b"5", b'"x"', b"{}", b"\xff\xfe", b"\x00" * 50, b"[" * 100_000, b'{"a":' * 100_000]
)
def test_what_is_no_body_of_this_sender_is_refused_in_words(sender: Sender, body: bytes) -> None:
    with pytest.raises(SignalError) as caught:
        sender.decode(body)
    assert caught.value.reason
    assert "\n" not in str(caught.value)


@every
@pytest.mark.parametrize("wrong", [None, True, 5, -1.5, "", "x", [], [[]], {}, {"a": {}}, "\ud800", "a\x00b", 10**30])
def test_a_value_of_the_wrong_kind_anywhere_is_taken_or_refused(sender: Sender, wrong: object) -> None:
    for body in replaced(sender.fires, wrong):
        with suppress(SignalError):
            alerts = sender.alerts(body)
            assert all("\x00" not in text for a in alerts for text in (*a.labels.values(), *a.annotations.values()))


@every
def test_a_field_nobody_knows_is_passed_over(sender: Sender) -> None:
    body = sender.fires if isinstance(sender.fires, list) else sender.fires | {"never heard of": {"x": [1]}}
    assert len(sender.alerts(body)) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@every
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_body_whatever_is_more_than_refused(sender: Sender, data: st.DataObject) -> None:
    body = copy.deepcopy(sender.fires)
    paths = list(places(body))
    for path in data.draw(st.lists(st.sampled_from(paths), max_size=3)):
        put(body, path, data.draw(JSON))
    with suppress(SignalError):
        sender.alerts(body)


# finding and replacing


def places(body: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in the body."""
    inner = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in inner:
        yield (*path, key)
        yield from places(value, (*path, key))


def put(body: Any, path: tuple[Any, ...], value: object) -> None:
    """Replaces what is there; a path that an earlier change took away is passed over."""
    try:
        for key in path[:-1]:
            body = body[key]
        if path[-1] in body if isinstance(body, dict) else path[-1] < len(body):
            body[path[-1]] = value
    except (KeyError, IndexError, TypeError):
        return


def replaced(body: Body, wrong: object) -> Iterator[Body]:
    for path in list(places(body)):
        changed = copy.deepcopy(body)
        put(changed, path, wrong)
        yield changed
