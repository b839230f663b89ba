"""What the parts of a transaction stand on."""

from __future__ import annotations

from abc import abstractmethod

from sqlalchemy import Connection

from tocsin.store.line import Line


class Part:
    _line: Line

    @property
    def _c(self) -> Connection:
        """The connection to ask on; what was sent ahead is carried out first."""
        return self._line.connection

    @abstractmethod
    def _settled(self) -> Connection:
        """The connection to write on, with everything staged sent before it."""
