"""Settings: read once from `tocsin.toml`, the environment and the command line, into one frozen value."""

from tocsin.config.crosscheck import check_against
from tocsin.config.errors import SettingsError
from tocsin.config.load import Overrides, default_runbook, load
from tocsin.config.model import Settings
from tocsin.config.rosters import roster, rules

__all__ = ["Overrides", "Settings", "SettingsError", "check_against", "default_runbook", "load", "roster", "rules"]
