"""Send requests to an ASGI app as a server does, between its start and its shutdown."""

import asyncio
from collections.abc import AsyncIterator, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager
from inspect import isawaitable
from typing import Any
from urllib.parse import unquote, urlsplit

from propagation.errors import PropagationError
from propagation.probe.drive import Request, TooSlow, Watch
from propagation.probe.interface import not_an_app


def send_all(app: Any, requests: Sequence[Request], watch: Watch, seconds: float) -> None:
    """Send one after the other. seconds: the most that the start, each request, and the shutdown may take.

    Raises PropagationError for what turns out to be no app, and for an app that does not start.
    """
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(_send_all(app, requests, watch, seconds))


async def _send_all(app: Any, requests: Sequence[Request], watch: Watch, seconds: float) -> None:
    # The app's start is left to its own network: a database that is there is to be used.
    async with _lifespan(app, seconds) as state:
        with watch.requests():
            for request in requests:
                with watch.request() as outcome:
                    await _ask_in_time(app, request, state, outcome.statuses, seconds)


async def _ask_in_time(
    app: Any, request: Request, state: Mapping[str, Any], statuses: list[int], seconds: float
) -> None:
    try:
        async with asyncio.timeout(seconds) as limit:
            await _ask(app, request, state, statuses)
    except TimeoutError:
        if limit.expired():
            raise TooSlow(seconds) from None
        raise


async def _ask(app: Any, request: Request, state: Mapping[str, Any], statuses: list[int]) -> None:
    body = [{"type": "http.request", "body": request.body, "more_body": False}]
    answered = asyncio.Event()

    async def receive() -> MutableMapping[str, Any]:
        if body:
            return body.pop()
        await answered.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])
        elif message["type"] == "http.response.body" and not message.get("more_body"):
            answered.set()

    work = app(_scope(request, state), receive, send)
    if not isawaitable(work):
        raise not_an_app(app, work)
    await work


def _scope(request: Request, state: Mapping[str, Any]) -> dict[str, Any]:
    url = urlsplit(request.path)
    headers = {"host": "localhost", **{name.lower(): value for name, value in request.headers.items()}}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(url.path),
        "raw_path": url.path.encode(),
        "query_string": url.query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("localhost", 80),
        "state": dict(state),
    }


@asynccontextmanager
async def _lifespan(app: Any, seconds: float) -> AsyncIterator[dict[str, Any]]:
    """The state of an app that was started, and that is shut down at the end; an app may know nothing of either."""
    state: dict[str, Any] = {}
    there: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
    back: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}
    task = asyncio.ensure_future(_begun(app, scope, there, back))

    async def step(name: str) -> MutableMapping[str, Any]:
        there.put_nowait({"type": f"lifespan.{name}"})
        answer = asyncio.ensure_future(back.get())
        done, _ = await asyncio.wait({task, answer}, return_when=asyncio.FIRST_COMPLETED, timeout=seconds)
        if not done:
            answer.cancel()
            return {"type": "late"}
        return answer.result() if answer.done() else {"type": str(answer.cancel())}

    try:
        started = await step("startup")
        if started["type"] == "lifespan.startup.failed":
            raise PropagationError(f"the app did not start: {started.get('message') or 'it gives no reason'}")
        if started["type"] == "late":
            raise PropagationError(f"the app did not start within {seconds:g} s")
        yield state
        if not task.done():
            await step("shutdown")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _begun(
    app: Any,
    scope: MutableMapping[str, Any],
    there: asyncio.Queue[MutableMapping[str, Any]],
    back: asyncio.Queue[MutableMapping[str, Any]],
) -> None:
    work = app(scope, there.get, back.put)
    if isawaitable(work):
        await work
