"""Server-sent events: a page's parts, rendered anew whenever they have changed.

Source: HTML Living Standard, 9.2 Server-sent events.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from meshconfig.console.security.entrance import owner_of
from meshconfig.errors import GraylaneError

HEARTBEAT = 15.0  # seconds without an event, after which a proxy in between might give up
MOST = 200  # streams at once
EACH = 20  # of one person, so that nobody takes all of them
EVENT_STREAM = "text/event-stream"

Parts = Mapping[str, str]  # id of an element → its new HTML


class Streams:
    """The streams that are open. For the event loop's thread alone.

    Parameters:
        stop: ends them when it is set.
    """

    def __init__(self, stop: Event) -> None:
        self.stop = stop
        self._open = Counter[object]()

    @contextmanager
    def place(self, owner: object) -> Iterator[bool]:
        """Whether there is a place for one more stream of a person. It is kept while the block runs."""
        if self._open[owner] >= EACH or self._open.total() >= MOST:
            yield False
            return
        self._open[owner] += 1
        try:
            yield True
        finally:
            self._open[owner] -= 1
            self._open += Counter()  # without those who have none


class _Stream(StreamingResponse):
    """
    Parameters:
        owner: who follows the page.
    """

    def __init__(self, streams: Streams, owner: object, events: AsyncIterator[str]) -> None:
        super().__init__(events, media_type=EVENT_STREAM)
        self._streams, self._owner = streams, owner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._streams.place(self._owner) as free:
            refused = PlainTextResponse("too many pages are open; close some", 503, {"Retry-After": "10"})
            await (super().__call__ if free else refused)(scope, receive, send)


def stream(request: Request, look: Callable[[], Parts | None], *, every: float) -> Response:
    """Events for `static/live.js`: each has the parts that changed. The stream ends when `look` gives None.

    Parameters:
        look: reads and renders; it is called on a thread.
        every: seconds between two calls.
    """
    streams: Streams = request.app.state.streams
    if request.method == "HEAD":
        return Response(media_type=EVENT_STREAM)
    return _Stream(streams, owner_of(request), _events(request, streams, look, every))


async def _events(
    request: Request, streams: Streams, look: Callable[[], Parts | None], every: float
) -> AsyncIterator[str]:
    sent: dict[str, str] = {}
    quiet, troubled = 0.0, False
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


def _event(kind: str, data: Mapping[str, str]) -> str:
    """JSON has no line break, so that an event is one line of data."""
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"
