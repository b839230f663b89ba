"""What the engine needs of the world, as Protocols; adapters live upstairs and are composed in `bootstrap`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from tocsin.incident.mitigations import NOWHERE, Footing
from tocsin.oncall.roster import Person
from tocsin.runbook.model import Placeholder, Step


class Clock(Protocol):
    def now(self) -> datetime:
        """The instant, aware UTC."""
        ...


class Brief(Struct, frozen=True):
    """What a message says of its incident; `link` is its page."""

    id: str
    number: int
    title: str
    severity: str
    status: str
    link: str


class Recipient(Struct, frozen=True):
    role: str
    person: Person


class Bundled(Struct, frozen=True):
    """One of the messages that a bundle stands for."""

    incident: Brief
    idempotency_key: str
    acknowledge_url: str | None = None


class Message(Struct, frozen=True):
    """One message to hand to a channel. `kind` is page, notify, post, update or status.

    `to` is None for the team's channel. `subject` is one line; `text` may be many. `acknowledge_url` is a signed link,
    on pages only; `approve_url` one to decide a proposed mitigation. The same `idempotency_key` is the same message,
    perhaps sent twice: `possible_duplicate` says so. `bundle` is not empty when it stands for several messages to this
    person: all of them, the severest first; `incident` is then the first one's.
    """

    kind: str
    idempotency_key: str
    incident: Brief
    to: Recipient | None
    subject: str
    text: str
    acknowledge_url: str | None = None
    approve_url: str | None = None
    possible_duplicate: bool = False
    bundle: tuple[Bundled, ...] = ()


class DeliveryError(Exception):
    """A channel could not deliver. `permanent` means that trying again cannot help; `retry_after` is in seconds.

    `uncertain`: the other side may have taken it without our hearing so.
    """

    def __init__(
        self, reason: str, *, permanent: bool = False, retry_after: float | None = None, uncertain: bool = False
    ) -> None:  # fmt: skip
        super().__init__(reason)
        self.uncertain = uncertain
        self.reason = reason
        self.permanent = permanent
        self.retry_after = retry_after


class EvidenceError(Exception):
    """A source of evidence gave no usable answer; `reason` is one line for people. It says nothing about production."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Channel(Protocol):
    """A way to reach people. `name` is the key under [channels], and the `via` of a person's rules."""

    name: str

    def accepts(self, message: Message) -> bool:
        """Whether this channel can carry it: e.g. e-mail needs an address of the recipient, or a team address."""
        ...

    async def deliver(self, message: Message) -> None:
        """Hands the message over; returns only once the other side has taken it. Raises DeliveryError."""
        ...

    async def close(self) -> None: ...


class StepReport(Struct, frozen=True):
    """What running one step gave. `outcome` is ok, nothing_found, unhealthy, failed, timed_out, unknown or manual.

    `index` is the step's place in its procedure, from 1; output is redacted, without escape codes. Times are aware UTC.
    `chart` is an SVG of what a query gave over time, if it gave anything to draw.
    """

    index: int
    title: str
    outcome: str
    reason: str
    exit_code: int | None
    stdout: str
    stderr: str
    cut_bytes: int
    started_at: datetime
    ended_at: datetime
    digest: str
    chart: str = ""


Report = Callable[[StepReport], None]
Output = Callable[[int, str, str], None]
"""Called with (index, "stdout" | "stderr", text) while a step speaks; the text is redacted, without escape codes."""


class Choices(Struct, frozen=True):
    """Values to pick one from; when there are none, `reason` says why."""

    values: tuple[str, ...] = ()
    reason: str = ""


class Cluster(Protocol):
    """Looks, and only looks, at where commands act."""

    async def footing(self, step: Step, *, environment: Sequence[str], values: Mapping[str, str]) -> Footing:
        """Where the step would act now. Never raises: what cannot be read is said to be unknown."""
        ...

    async def choices(self, placeholder: Placeholder, step: Step, *, environment: Sequence[str]) -> Choices:
        """What the cluster has for the placeholder. Never raises."""
        ...


class NoCluster:
    """Where nothing is looked at: no context, no target, nothing to choose from."""

    async def footing(self, step: Step, *, environment: Sequence[str], values: Mapping[str, str]) -> Footing:
        return NOWHERE

    async def choices(self, placeholder: Placeholder, step: Step, *, environment: Sequence[str]) -> Choices:
        return Choices(reason="no cluster is asked")


class Runner(Protocol):
    """Runs steps of a document. Steps above `read` run only when `approved`."""

    async def run(
        self,
        steps: Sequence[tuple[int, Step]],
        *,
        environment: Sequence[str],
        values: Mapping[str, str],
        side_by_side: bool,
        approved: bool,
        report: Report,
        output: Output | None = None,
        whose: str = "",
        document: str = "",
    ) -> None:
        """Runs each (index, step), calling `report` once per finished step. Cancelling it stops every process.

        `output` sees what steps say meanwhile. `whose` is the incident: turns are shared fairly between incidents.
        `document` is the digest of the document that the steps stand in, for a runner with a copy of its own.
        """
        ...

    def refuses(self, step: Step, values: Mapping[str, str]) -> dict[str, str]:
        """Why the step cannot run with these values: placeholder name -> reason; empty when it can."""
        ...
