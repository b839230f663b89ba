"""Leaving another system: its exported JSON becomes settings, an escalation matrix to paste, and what was left out."""
