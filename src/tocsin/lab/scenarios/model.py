"""A scenario: what befalls the practice production, what is true of it, and what mends it. Pure values."""

from collections.abc import Callable
from typing import NamedTuple

from tocsin.lab.alerting import Rule
from tocsin.lab.kube.inventory import Shape
from tocsin.lab.production import Production

YES, NO, OPEN = "yes", "no", ""
"""The true answer to a question; OPEN where people may differ, so that no answer is wrong."""
ROLLBACK, SCALE, RESTART, NOTHING = "rollback", "scale", "restart", "nothing"
FIX = "fix"
"""None of a runbook's three mitigations: an engineer does what `mend` does."""

Lever = Callable[[Production], None]


class Step(NamedTuple):
    """Something that is done, `after` seconds after the step before it; `tells` says it to whoever watches."""

    act: Lever
    tells: str
    after: float = 0.0


class Truth(NamedTuple):
    """The true answers, by the topic of the question; and what mends it: `right`, on the workload `about`.

    `about` is also what a yes must name.
    """

    right: str
    cause: str
    about: str = "backend"
    deployment: str = OPEN
    resource: str = OPEN
    component: str = OPEN
    data: str = OPEN
    errors: str = OPEN
    latency: str = OPEN
    crashes: str = OPEN
    database: str = OPEN

    def answers(self) -> dict[str, str]:
        """The true answer to each topic's question."""
        topics = ("deployment", "resource", "component", "data", "errors", "latency", "crashes", "database")
        return {topic: getattr(self, topic) for topic in topics}


class Scenario(NamedTuple):
    """`steps` break it; `mend` is what `right` needs when that is FIX, or what must come with it; `limit` in seconds
    from the alert to a recovery that was verified, on a loaded machine too; `settle` is how long it runs well before.
    `undone` says that the runbook's own mitigation does not hold here, and why.
    """

    name: str
    tells: str
    truth: Truth
    steps: tuple[Step, ...]
    shape: Shape = Shape()
    rules: tuple[Rule, ...] = (Rule(),)
    mend: Lever | None = None
    settle: float = 6.0
    limit: float = 120.0
    load: float = 20.0
    needs: str = ""
    undone: str = ""
    impact: str = "About two in five requests to the backend fail"

    @property
    def twin(self) -> bool:
        """Whether it is another one's twin, with one decisive fact flipped."""
        return "/" in self.name
