"""What can go wrong with the published page.

StatusPageError
├── DestinationError  `[status_page] publish` names no place to write to: mend the setting
└── PublishError      the place could not be written: trying again may help
"""

from __future__ import annotations


class StatusPageError(Exception):
    """Base of both; `str()` is one sentence for a person."""


class DestinationError(StatusPageError):
    pass


class PublishError(StatusPageError):
    pass
