"""What can go wrong in the practice production.

LabError                 the practice production cannot do what was asked; the text says why and how to mend it
└── RolloutError         a rollout was refused; the text is kubectl's own
"""


class LabError(Exception):
    """The practice production cannot do what was asked of it."""


class RolloutError(LabError):
    """A change of a deployment was refused; `str()` is what kubectl prints after `error: `."""
