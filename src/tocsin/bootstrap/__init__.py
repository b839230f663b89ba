"""The house put together: settings, runbook, database, engine, channels and watchers, without any page around it."""

from tocsin.bootstrap.compose import compose
from tocsin.bootstrap.edition import read_runbook
from tocsin.bootstrap.house import House, SystemClock

__all__ = ["House", "SystemClock", "compose", "read_runbook"]
