"""`[[join]]`, `[resolve]` and what routes say of it: read into the rules, and refused where it could not be meant."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.bootstrap.triage import triage
from tocsin.config import Settings, SettingsError, load, rules
from tocsin.incident.policy import AfterQuiet

GOOD = """
[resolve]
after = "20m"
then = "resolve"
[services.checkout]
match = {service = "checkout"}
depends_on = ["orders-db"]
[[routes]]
match = 'team="batch"'
resolve = "nothing"
resolve_after = "1h"
[[join]]
match = 'namespace=~".+"'
equal = ["namespace"]
"""


def read(folder: Path, text: str) -> Settings:
    (folder / "tocsin.toml").write_text(text, encoding="utf-8")
    return load(folder / "tocsin.toml", environ={})


def test_what_is_written_well_becomes_the_rules(tmp_path: Path) -> None:
    settings = read(tmp_path, GOOD)
    found, sorting = rules(settings), triage(settings)
    assert (found.after_quiet, found.quiet) == (AfterQuiet.RESOLVE, timedelta(minutes=20))
    assert found.depends_on == {"checkout": ("orders-db",)}
    assert (sorting.routes[0].after_quiet, sorting.routes[0].quiet) == ("nothing", timedelta(hours=1))
    assert (sorting.joins[0].equal, sorting.joins[0].within) == (("namespace",), timedelta(minutes=10))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('then = "resolve"', 'then = "close"', "then"),
        ('equal = ["namespace"]\n', "equal = []\n", "equal"),
        ("'namespace=~\".+\"'", "'namespace!=\"x\"'", "all alerts would be meant"),
        ('resolve_after = "1h"', "incident = false", "no incident"),
    ],
)
def test_what_could_not_be_meant_is_refused(tmp_path: Path, before: str, after: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read(tmp_path, GOOD.replace(before, after))
