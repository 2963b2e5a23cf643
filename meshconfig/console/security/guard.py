"""What every request passes before a page sees it, and what every answer has.

A page of another site may have a browser send requests here, and DNS may give that site's name this address. So a
request counts only if `Host` is ours, and a form only if `Origin` is ours too.

Source: OWASP Cross-Site Request Forgery Prevention Cheat Sheet; Content Security Policy Level 3.
"""

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from meshconfig.console.faults import TooLargeError
from meshconfig.console.settings import Settings

LARGEST = 64 * 1024  # bytes of a request's body: forms have a few short fields
FORM = "application/x-www-form-urlencoded"
HEALTH = "/healthz"  # a kubelet asks for it by the Pod's address
READS = ("GET", "HEAD")
# No inline script or style, nothing from elsewhere, in no frame. `same-origin` keeps `Origin` on forms: with
# `no-referrer` browsers send `Origin: null`.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """Refuses requests that no page of the console can have sent, and adds `HEADERS` to every answer."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # a WebSocket is closed: nothing here speaks it
        answer = _with_headers(send)
        if refusal := _refusal(scope, self._settings):
            await refusal(scope, receive, answer)
            return
        await self._app(scope, _bounded(receive), answer)


def _refusal(scope: Scope, settings: Settings) -> PlainTextResponse | None:
    headers, method = Headers(scope=scope), scope["method"]
    if scope["path"] == HEALTH and method in READS:
        return None
    if headers.getlist("host") != [headers.get("host", "")] or headers.get("host", "").lower() not in settings.hosts:
        return PlainTextResponse("the console is not known by this name: open the address that it printed", 421)
    if method in READS:
        return None
    if method != "POST":
        return PlainTextResponse("the console takes GET and POST", 405, {"Allow": "GET, HEAD, POST"})
    if (
        headers.get("origin", "") not in settings.origins
        or headers.get("sec-fetch-site", "same-origin") != "same-origin"
    ):
        return PlainTextResponse("forms are taken from the console's own pages alone", 403)
    if headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        return PlainTextResponse(f"forms are {FORM}", 415)
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > LARGEST:
        return PlainTextResponse(f"a form has at most {LARGEST} bytes", 413)
    return None


def _bounded(receive: Receive) -> Receive:
    """What is received, also without a Content-Length.

    Raises:
        TooLargeError: it is more than `LARGEST` bytes.
    """
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > LARGEST:
            raise TooLargeError(f"a form has at most {LARGEST} bytes")
        return message

    return bounded


def _with_headers(send: Send) -> Send:
    async def answer(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return answer
