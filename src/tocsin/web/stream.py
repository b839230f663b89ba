"""`GET /api/v1/stream`: server-sent events, every timeline entry of every incident as it commits.

Nothing is repeated: who was away reads the timelines it shows anew, then follows.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress

from fastapi import APIRouter, Depends
from starlette.responses import StreamingResponse

from tocsin.engine.core import Committed
from tocsin.web import views
from tocsin.web.auth import Here, viewer

PING_SECONDS = 15.0
router = APIRouter(prefix="/api/v1", tags=["stream"])


@router.get("/stream", dependencies=[Depends(viewer)], response_class=StreamingResponse)
async def stream(house: Here) -> StreamingResponse:
    """`id` is the incident's number and the entry's seq (`7:42`), `data` the entry with its incident's number.

    A comment every 15 seconds keeps the connection open. Ends when the server stops, or when a reader falls far behind.
    """
    lines = as_events(house.desk.follow(), ping=PING_SECONDS)
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(lines, media_type="text/event-stream", headers=headers)


async def as_events(committed: AsyncIterator[Committed], *, ping: float) -> AsyncGenerator[bytes]:
    """The lines to send, from one comment at once, so that a reader knows it is connected."""
    following = asyncio.ensure_future(anext(committed))
    try:
        await asyncio.sleep(0)  # lets it subscribe before the reader is told that it follows
        yield b": following\n\n"
        while True:
            done, _ = await asyncio.wait({following}, timeout=ping)
            if not done:
                yield b": ping\n\n"
                continue
            yield event(following.result())
            following = asyncio.ensure_future(anext(committed))
    except StopAsyncIteration:
        return
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError, StopAsyncIteration):
            await following


def event(committed: Committed) -> bytes:
    """One event; JSON keeps every line end of a text inside one line."""
    said = views.streamed(committed)
    return f"id: {said['incident']}:{said['seq']}\ndata: {json.dumps(said)}\n\n".encode()
