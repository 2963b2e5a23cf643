"""Send requests to a WSGI app as a server does."""

import io
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Any
from urllib.parse import unquote, urlsplit
from wsgiref.util import setup_testing_defaults

from propagation.probe.drive import Request, Watch
from propagation.probe.interface import not_an_app


def send_all(app: Any, requests: Sequence[Request], watch: Watch) -> None:
    """Send one after the other. Raises NotAnApp for what turns out to be no app."""
    with watch.requests():
        for request in requests:
            with watch.request() as outcome:
                _ask(app, request, outcome.statuses)


def _ask(app: Any, request: Request, statuses: list[int]) -> None:
    def start_response(line: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
        statuses.append(int(line.split()[0]))
        return lambda part: None

    body = app(_environ(request), start_response)
    if callable(body) and not statuses:
        raise not_an_app(app, body)
    with closing(body) if hasattr(body, "close") else ExitStack():
        for _ in body:
            pass


def _environ(request: Request) -> dict[str, Any]:
    url = urlsplit(request.path)
    headers = {"host": "localhost", **{name.lower(): value for name, value in request.headers.items()}}
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": unquote(url.path, "latin-1"),
        "QUERY_STRING": url.query,
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.input": io.BytesIO(request.body),
    } | {_key(name): value for name, value in headers.items()}
    setup_testing_defaults(environ)
    return environ


def _key(name: str) -> str:
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
