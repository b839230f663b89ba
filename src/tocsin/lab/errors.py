"""What can go wrong in the practice production.

LabError                 the practice production cannot do what was asked; the text says why and how to mend it
└── ApiError             its Kubernetes API refuses (lab/kube/failures.py)
"""


class LabError(Exception):
    """The practice production cannot do what was asked of it."""
