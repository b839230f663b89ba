"""Values that a command asks for: chosen from a numbered list on a terminal, else named with what there is to choose.

Nothing is chosen by itself, and what an alert says is only shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tocsin.channels.text import one_line
from tocsin.cli import answers as a
from tocsin.cli import render
from tocsin.cli.client import Answer, Client, ServerError, absent
from tocsin.cli.terminal import interactive, put

MOST = 12
"""Names in a line that is no list."""


def with_values(
    server: Client, where: str, given: Mapping[str, str], ask: Callable[[Mapping[str, str]], Answer]
) -> Answer:
    """The answer of `ask` once every value is given; `where` is the path that says what there is to choose from."""
    values = dict(given)
    while True:
        try:
            return ask(values)
        except ServerError as exc:
            missing = [name for name, why in exc.fields.items() if absent(why) and name not in values]
            if not missing:
                raise
            asked = _asked(server, where, missing)
            if not interactive():
                raise ServerError(f"{exc}: {_how_to_give(asked)}", status=exc.status) from None
            values |= {one.name: _choose(one) for one in asked}


def _asked(server: Client, where: str, missing: Sequence[str]) -> list[a.Asked]:
    """What there is to choose from for each; a server that cannot say offers nothing."""
    try:
        known = {one.name: one for one in server.get(where).read(a.Values).values}
    except ServerError:
        known = {}
    return [known.get(name, a.Asked(name)) for name in missing]


def _how_to_give(asked: Sequence[a.Asked]) -> str:
    give = "give " + " ".join(f"--value {one.name}=..." for one in asked)
    lists = [f"{one.name} is one of {', '.join(one.choices[:MOST])}{_more(one)}" for one in asked if one.choices]
    return "; ".join([give, *lists])


def _more(one: a.Asked) -> str:
    return f" and {len(one.choices) - MOST} more" if len(one.choices) > MOST else ""


def _choose(one: a.Asked) -> str:
    """A number of the list, or a value written out; an end of input gives up."""
    put(render.pick(one))
    words = f"Number or {one_line(one.name)}: " if one.choices else f"{one_line(one.name)}: "
    while True:
        try:
            said = input(words).strip()
        except EOFError:
            raise ServerError(f"nothing was run: {one.name} is still missing") from None
        if said.isascii() and said.isdigit() and 1 <= int(said) <= len(one.choices):
            return one.choices[int(said) - 1]
        if said:
            return said
