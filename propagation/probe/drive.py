"""Send requests to an app in this process, by ASGI or WSGI, and see its context and its calls to others."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from contextvars import Context as Variables
from importlib import import_module
from inspect import iscoroutinefunction, signature
from typing import Any, NamedTuple
from unittest.mock import patch
from urllib.parse import unquote, urlsplit
from wsgiref.util import setup_testing_defaults

from opentelemetry.context import Context, get_current

from propagation.errors import PropagationError
from propagation.probe.recorder import Call, Recorder, recording

# Where servers' middleware makes a context current: ours, and by its module's attribute OpenTelemetry's.
_ATTACHING = ("opentelemetry.context", "propagation.servers.asgi", "propagation.servers.work")


class Request(NamedTuple):
    """What to send. path: with its query. timeout: in seconds."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    timeout: float


class Outcome(NamedTuple):
    """How one request went.

    status: None where no response began. error: what the app raised. attached: the contexts that became current while
    it ran. before, after: what was current around it. calls: what it sent to others. unread: its connections that spoke
    something else than plain HTTP.
    """

    status: int | None
    error: Exception | None
    attached: list[Context]
    before: Context
    after: Context
    calls: list[Call]
    unread: int


def send_all(app: Any, requests: Sequence[Request], reply: bytes) -> list[Outcome]:
    """Send one after the other, in a thread of its own that begins without a context; ASGI apps are started first.

    reply: what the app's calls to others are answered with. Raises PropagationError for what is neither ASGI nor WSGI,
    and for an app that does not start.
    """
    if not callable(app):
        raise PropagationError(f"{app!r:.100} is neither an ASGI nor a WSGI app")
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(Variables().run, _send_all, app, requests, reply).result()


def _send_all(app: Any, requests: Sequence[Request], reply: bytes) -> list[Outcome]:
    if not _is_asgi(app):
        return _send_all_wsgi(app, requests, reply)
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(_send_all_asgi(app, requests, reply))


def _is_asgi(app: Any) -> bool:
    if iscoroutinefunction(app) or iscoroutinefunction(type(app).__call__):
        return True
    try:
        return len(signature(app).parameters) == 3
    except (TypeError, ValueError):
        return False


@contextmanager
def _attached() -> Iterator[list[Context]]:
    """The contexts that middleware attaches in the block."""
    seen: list[Context] = []
    with ExitStack() as stack:
        for name in _ATTACHING:
            module = import_module(name)
            stack.enter_context(patch.object(module, "attach", _noting(module.attach, seen)))
        yield seen


def _noting(attach: Any, seen: list[Context]) -> Any:
    def noting(context: Context) -> Any:
        seen.append(context)
        return attach(context)

    return noting


@contextmanager
def _watching(recorder: Recorder, outcomes: list[Outcome]) -> Iterator[list[int]]:
    """Add the Outcome of the request that is sent in the block, which notes the status."""
    before, unread, error = get_current(), recorder.unread, None
    statuses: list[int] = []
    with _attached() as attached:
        try:
            yield statuses
        except Exception as raised:  # noqa: BLE001  # that an app fails is an outcome
            error = raised
    status = statuses[-1] if statuses else None
    calls, unread = recorder.take(), recorder.unread - unread
    outcomes.append(Outcome(status, error, attached, before, get_current(), calls, unread))


def _send_all_wsgi(app: Any, requests: Sequence[Request], reply: bytes) -> list[Outcome]:
    outcomes: list[Outcome] = []
    with recording(reply) as recorder:
        for request in requests:
            with _watching(recorder, outcomes) as statuses:
                _ask_wsgi(app, request, statuses)
    return outcomes


def _ask_wsgi(app: Any, request: Request, statuses: list[int]) -> None:
    def start_response(line: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
        statuses.append(int(line.split()[0]))
        return lambda part: None

    url = urlsplit(request.path)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": unquote(url.path, "latin-1"),
        "QUERY_STRING": url.query,
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.input": io.BytesIO(request.body),
    } | {"HTTP_" + name.upper().replace("-", "_"): value for name, value in request.headers.items()}
    setup_testing_defaults(environ)
    body = app(environ, start_response)
    with closing(body) if hasattr(body, "close") else ExitStack():
        for _ in body:
            pass


async def _send_all_asgi(app: Any, requests: Sequence[Request], reply: bytes) -> list[Outcome]:
    outcomes: list[Outcome] = []
    async with _lifespan(app) as state:
        with recording(reply) as recorder:
            for request in requests:
                with _watching(recorder, outcomes) as statuses:
                    async with asyncio.timeout(request.timeout):
                        await _ask_asgi(app, request, state, statuses)
    return outcomes


async def _ask_asgi(app: Any, request: Request, state: Mapping[str, Any], statuses: list[int]) -> None:
    url = urlsplit(request.path)
    headers = {"host": "testserver", **request.headers}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(url.path),
        "raw_path": url.path.encode(),
        "query_string": url.query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("testserver", 80),
        "state": dict(state),
    }
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

    await app(scope, receive, send)


@asynccontextmanager
async def _lifespan(app: Any) -> AsyncIterator[dict[str, Any]]:
    """The state of an app that was started, and that is shut down at the end; an app may know nothing of either."""
    state: dict[str, Any] = {}
    there: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
    back: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}
    task = asyncio.ensure_future(app(scope, there.get, back.put))

    async def step(name: str) -> MutableMapping[str, Any]:
        there.put_nowait({"type": f"lifespan.{name}"})
        answer = asyncio.ensure_future(back.get())
        await asyncio.wait({task, answer}, return_when=asyncio.FIRST_COMPLETED)
        return answer.result() if answer.done() else {"type": str(answer.cancel())}

    try:
        started = await step("startup")
        if started["type"] == "lifespan.startup.failed":
            raise PropagationError(f"the app did not start: {started.get('message') or 'it gives no reason'}")
        yield state
        if not task.done():
            await step("shutdown")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
