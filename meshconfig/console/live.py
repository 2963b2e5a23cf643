"""Server-sent events: a page's parts, rendered anew whenever they have changed.

Source: HTML Living Standard, 9.2 Server-sent events.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from threading import Event

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from meshconfig.errors import GraylaneError

HEARTBEAT = 15.0  # seconds without an event, after which a proxy in between might give up
MOST = 200  # streams at once
EVENT_STREAM = "text/event-stream"

Parts = Mapping[str, str]  # id of an element → its new HTML


class Streams:
    """The streams that are open.

    Parameters:
        stop: ends them when it is set.
    """

    def __init__(self, stop: Event) -> None:
        self.count, self.stop = 0, stop


def stream(request: Request, look: Callable[[], Parts | None], *, every: float) -> Response:
    """Events for `static/live.js`: each has the parts that changed. The stream ends when `look` gives None.

    Parameters:
        look: reads and renders; it is called on a thread.
        every: seconds between two calls.
    """
    streams: Streams = request.app.state.streams
    if streams.count >= MOST:
        return PlainTextResponse("too many pages are open; close some", 503, {"Retry-After": "10"})
    return StreamingResponse(_events(request, streams, look, every), media_type=EVENT_STREAM)


async def _events(
    request: Request, streams: Streams, look: Callable[[], Parts | None], every: float
) -> AsyncIterator[str]:
    streams.count += 1
    sent: dict[str, str] = {}
    quiet, troubled = 0.0, False
    try:
        while not (streams.stop.is_set() or await request.is_disconnected()):
            try:
                parts = await run_in_threadpool(look)
            except GraylaneError as error:
                yield _event("trouble", {"message": str(error)})
                await asyncio.sleep(every)
                quiet, troubled = 0.0, True
                continue
            if parts is None:
                yield _event("end", {})
                return
            new = {name: html for name, html in parts.items() if sent.get(name) != html}
            if new or troubled:  # an event without parts takes the error away
                sent |= new
                quiet, troubled = 0.0, False
                yield _event("parts", new)
            elif quiet >= HEARTBEAT:
                quiet = 0.0
                yield ": still there\n\n"
            await asyncio.sleep(every)
            quiet += every
    finally:
        streams.count -= 1


def _event(kind: str, data: Mapping[str, str]) -> str:
    """JSON has no line break, so that an event is one line of data."""
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"
