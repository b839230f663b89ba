"""Tocsin runs the incident runbook your team already has."""

__version__ = "0.1.0"
