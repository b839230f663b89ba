"""`POST /api/v1/alerts/sns` where `[sources.sns]` names topics: only what they signed is taken.

A certificate that cannot be had is a 503, which SNS sends again; a signature that does not match is a 400, for good.
"""

from __future__ import annotations

import structlog
from starlette.requests import Request

from tocsin.bootstrap.house import House
from tocsin.signals.sns_signature import CONFIRMATIONS, NotFetched, Verifier, fetched
from tocsin.web.errors import NotReady

log = structlog.get_logger()


async def vouched_for(request: Request, house: House, body: bytes) -> bool:
    """Whether the message holds alerts to be read; one that asks to be confirmed is confirmed, and does not.

    Without topics in the settings every message does. Raises SignalError, or NotReady when Amazon cannot be asked.
    """
    topics = house.settings.sources.sns.topics
    if not topics:
        return True
    verifier = _verifier(request, topics)
    try:
        envelope = await verifier.check(body, at=house.desk.now())
        if envelope.Type not in CONFIRMATIONS:
            return True
        if envelope.Type == CONFIRMATIONS[0]:
            await verifier.confirm(envelope)
            log.info("sns_topic_confirmed", topic=envelope.TopicArn)
    except NotFetched as exc:
        raise NotReady(f"the message cannot be checked now: {exc.reason}") from exc
    return False


def _verifier(request: Request, topics: tuple[str, ...]) -> Verifier:
    """One for the whole app, made when first asked for."""
    state = request.app.state
    if not hasattr(state, "sns"):
        state.sns = Verifier(topics, fetched)
    found: Verifier = state.sns
    return found
