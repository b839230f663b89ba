"""A person's report, from the web form or the API, as an alert. Refuses to judge whether it is true."""

from __future__ import annotations

from datetime import datetime

from tocsin.incident.alert import Alert, AlertStatus, fingerprint
from tocsin.signals.decoding import texts
from tocsin.signals.errors import SignalError

SOURCE = "report"
NAME = "UserReport"


def from_report(
    title: str, *, description: str, reporter: str, at: datetime, service: str = "", severity: str = ""
) -> Alert:
    """The firing alert of one report made at `at` (aware UTC); raises SignalError for a report without a title.

    Reports of the same title (but for case and spaces) and service carry one fingerprint: ten people who see the same
    trouble report one alert.
    """
    said = " ".join(title.split())
    if not said:
        raise SignalError("say in a few words what is wrong", "title")
    labels = {"alertname": NAME, "service": service.strip(), "severity": severity.strip()}
    annotations = {"summary": said, "description": description.strip(), "reporter": reporter.strip()}
    return Alert(
        fingerprint=fingerprint({"alertname": NAME, "title": said.casefold(), "service": service.strip()}),
        status=AlertStatus.FIRING,
        labels=texts({name: value for name, value in labels.items() if value}),
        annotations=texts({name: value for name, value in annotations.items() if value}),
        starts_at=at,
        ends_at=None,
        source=SOURCE,
    )
