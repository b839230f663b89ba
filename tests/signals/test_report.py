from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tocsin.incident.alert import Alert
from tocsin.signals.errors import SignalError
from tocsin.signals.report import from_report

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


def report(title: str, *, service: str = "web", reporter: str = "Ana") -> Alert:
    return from_report(title, description="blank page", reporter=reporter, at=NOW, service=service)


def test_a_report_is_a_firing_alert_with_the_reporters_words() -> None:
    alert = from_report("Login fails", description="", reporter="Ana", at=NOW, severity="SEV2")
    assert alert.labels == {"alertname": "UserReport", "severity": "SEV2"}
    assert alert.annotations == {"summary": "Login fails", "reporter": "Ana"}
    assert (alert.starts_at, alert.source) == (NOW, "report")


def test_equal_reports_of_several_people_are_one_alert() -> None:
    assert report("Login  fails ").fingerprint == report("login fails", reporter="Ben").fingerprint


def test_another_service_or_title_is_another_alert() -> None:
    first = report("Login fails").fingerprint
    assert first not in (report("Login fails", service="app").fingerprint, report("Login slow").fingerprint)


def test_a_report_without_a_title_is_refused() -> None:
    with pytest.raises(SignalError) as caught:
        report(" \n ")
    assert str(caught.value) == "title: say in a few words what is wrong"
