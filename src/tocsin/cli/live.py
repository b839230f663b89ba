"""What running steps say, printed as they say it. Knows nothing of how a run ended: who follows it asks that."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import msgspec

from tocsin.cli import answers as a
from tocsin.cli import render
from tocsin.cli.client import Client, ServerError
from tocsin.cli.terminal import put


class Listener:
    """Prints the lines of steps as they are finished. `ended` are the steps that have said everything."""

    def __init__(self, titles: Mapping[int, str]) -> None:
        self.ended: set[int] = set()
        self.spoken: set[int] = set()
        self._titles = titles
        self._begun: dict[int, str] = {}
        self._speaking = 0

    def listen(self, server: Client, path: str) -> None:
        """Until the run ends, or nothing more is heard: a server without the stream is no error."""
        with suppress(ServerError, msgspec.DecodeError):
            for kind, data in server.events(path):
                self._hear(kind, data)
                if kind == "end":
                    break
        for index in list(self._begun):
            self._flush(index)

    def _hear(self, kind: str, data: bytes) -> None:
        if kind == "output":
            said = msgspec.json.decode(data, type=a.Said)
            *whole, begun = (self._begun.get(said.step, "") + said.text).split("\n")
            self._begun[said.step] = begun
            self._print(said.step, whole)
        elif kind == "step":
            end = msgspec.json.decode(data, type=a.StepEnded)
            self._flush(end.step)
            if end.step not in self.ended:
                step = a.Step(self._titles.get(end.step, ""), end.step, outcome=end.outcome, reason=end.reason)
                put(render.step(step))
            self.ended.add(end.step)
            self._speaking = 0

    def _flush(self, index: int) -> None:
        rest = self._begun.pop(index, "")
        self._print(index, [rest] if rest.strip() else [])

    def _print(self, index: int, lines: list[str]) -> None:
        if not lines:
            return
        title = self._titles.get(index, "") if self._speaking != index else ""
        self._speaking = index
        self.spoken.add(index)
        put([*([f"{index}. {title} ..."] if title else []), *render.output("\n".join(lines))])
