"""`tocsin silence` against a served house."""

from __future__ import annotations

import json

from terminals import Terminal


def test_a_silence_is_added_listed_and_ended(ana: Terminal) -> None:
    id_ = ana.says("silence", "add", 'team="nobody"', "--for", "2h", "--because", "a move", "--in", "1h").split()[0]
    assert f"{id_}  pending " in (listed := ana.says("silence", "list"))
    assert 'team="nobody"  a move' in listed
    assert ana.says("silence", "expire", id_) == "Ended.\n"
    assert id_ not in ana.says("silence", "list")
    assert id_ in [s["id"] for s in json.loads(ana.says("silence", "list", "--json"))["silences"]]
    assert "over already" in ana.refuses("silence", "expire", id_)


def test_what_is_no_matcher_is_refused_in_one_line(ana: Terminal) -> None:
    assert "is no matcher" in ana.refuses("silence", "add", "team", "--for", "2h", "--because", "a move")
