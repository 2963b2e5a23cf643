"""Who comes in: a session for every browser, the person's source, and the token that each form must have.

Each request carries what belongs to it in its scope; `visit` gives it to pages.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import parse_qsl, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from meshconfig.console.faults import ElsewhereError, FormError, NoSessionError
from meshconfig.console.security.guard import READS
from meshconfig.console.security.sealed import LIFE, Seal, Session
from meshconfig.console.settings import Settings
from meshconfig.console.sources.source import Source
from meshconfig.console.way_back import FIRST, here
from meshconfig.errors import GraylaneError

PATIENCE = 10.0  # seconds for the body of a form to come: whoever sends it need not have come in
FIELDS = 2000  # of a form: a lane may name a version of each service
OPEN = ("/static/", "/healthz", "/open/", "/set/")  # paths that show nothing of anybody
LOGIN, LOGOUT = "/login", "/logout"
AWAY = (LOGIN, LOGOUT)  # work with a token that is no good, and while the API server is away
BEARER = "bearer "
# What oauth2-proxy sends: --pass-authorization-header, and --pass-access-token.
TOKENS = ("authorization", "x-forwarded-access-token")


class Access(Protocol):
    """Gives each person a source of their own."""

    @property
    def by_token(self) -> bool:
        """Whether each person needs a token, rather than the kubeconfig of whoever started the console."""

    @property
    def is_local(self) -> bool:
        """Whether it is the mesh on this machine, which changes by its files alone."""

    def source(self, token: str) -> Source:
        """The source for a token; empty where `by_token` is false."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request's person.

    Parameters:
        person: the name that the API server knows; empty where it tells none.
        form: the fields of a POST.
    """

    session: Session
    source: Source | None
    person: str = ""
    form: Mapping[str, str] = field(default_factory=dict)


def visit(request: Request) -> Visit:
    found: Visit = request.scope["visit"]
    return found


def source_of(request: Request) -> Source:
    """The person's source. Pages that are open to everybody have none."""
    found = visit(request).source
    if found is None:
        raise NoSessionError("log in first")
    return found


def owner_of(request: Request) -> object:
    """Who sends a request: by name, as tokens are renewed; by the source where the API server tells no name."""
    return visit(request).person or source_of(request)


Refuse = Callable[[Request, Exception], Awaitable[Response]]


class Entrance:
    """Finds the session and the source of a request, and checks the token of a form, before any page runs.

    Parameters:
        refuse: makes the page for an error.
    """

    def __init__(self, app: ASGIApp, settings: Settings, seal: Seal, access: Access, refuse: Refuse) -> None:
        self._app, self._settings, self._seal, self._access, self._refuse = app, settings, seal, access, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        session = self._seal.open(request.cookies.get(cookie_name(self._settings), ""))
        scope["visit"] = Visit(session or Session.new(), None)
        try:
            answer = await self._come_in(request, session)
        except GraylaneError as error:
            answer = await self._refuse(request, error)
        fresh = session is None and not self._settings.secret and not _is_open(scope)
        if fresh and not _from_elsewhere(request):
            send = self._with_cookie(visit(request).session, send)
        await (answer or self._app)(scope, receive if scope["method"] in READS else _nothing, send)

    async def _come_in(self, request: Request, session: Session | None) -> Response | None:
        """Puts the visit into the request's scope; an answer where no page is to make one.

        Raises:
            ElsewhereError, NoSessionError, FormError: the browser may not come in, or not with this form.
            GraylaneError: the person's source cannot be reached.
        """
        scope, known = request.scope, visit(request).session
        if _is_open(scope):
            return None
        if session is None and _from_elsewhere(request):
            raise ElsewhereError("a link of another site has led here")
        if session is None and self._settings.secret:
            raise NoSessionError("open the address that `graylane console` printed, with its secret")
        form = _checked(await _body(request), known) if request.method not in READS else {}
        scope["visit"] = Visit(known, None, form=form)
        token = _sent(request.headers) or known.token if self._access.by_token else ""
        if self._access.by_token and not token:
            return None if scope["path"] == LOGIN else RedirectResponse(login_for(here(request)), 303)
        if scope["path"] not in AWAY:
            scope["visit"] = Visit(known, *await run_in_threadpool(self._known, token), form)
        return None

    def _known(self, token: str) -> tuple[Source, str]:
        """The person's source and name. It may ask the API server, which a page's template must not wait for."""
        source = self._access.source(token)
        return source, source.person

    def _with_cookie(self, session: Session, send: Send) -> Send:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                jar = Response()
                put_cookie(jar, session, self._seal, self._settings)
                message["headers"] = [*message["headers"], *(one for one in jar.raw_headers if one[0] == b"set-cookie")]
            await send(message)

        return answer


async def _body(request: Request) -> bytes:
    """
    Raises:
        FormError: it has not come in `PATIENCE` seconds.
        TooLargeError: it is larger than any form.
    """
    try:
        async with asyncio.timeout(PATIENCE):
            return await request.body()
    except TimeoutError:
        raise FormError(f"the form has not come in {PATIENCE:g} seconds: send it again") from None


def login_for(wanted: str) -> str:
    """The page that asks for a token, and then leads to a page that somebody wanted to see."""
    return LOGIN if wanted == FIRST else f"{LOGIN}?{urlencode({'next': wanted})}"


def _from_elsewhere(request: Request) -> bool:
    """Whether another site has led here. The browser may have a session, whose cookie a new one must not replace.

    Source: RFC 6265bis, 5.2 "Same-site" and "Cross-site" Requests; Fetch Metadata Request Headers.
    """
    return request.headers.get("sec-fetch-site", "") == "cross-site"


def _is_open(scope: Scope) -> bool:
    return str(scope["path"]).startswith(OPEN)


def cookie_name(settings: Settings) -> str:
    """Cookies are of a host and not of a port, so that two consoles of one machine have two names."""
    if settings.secure:
        return "__Host-graylane"
    return f"graylane-{min(settings.hosts).rpartition(':')[2].rstrip(']')}"


def put_cookie(response: Response, session: Session, seal: Seal, settings: Settings) -> None:
    """
    Raises:
        InputError: the session does not fit into a cookie.
    """
    response.set_cookie(
        cookie_name(settings),
        seal.close(session),
        max_age=LIFE,
        path="/",
        secure=settings.secure,
        httponly=True,
        samesite="strict",
    )


def _sent(headers: Headers) -> str:
    """The token that a proxy has sent."""
    for name in TOKENS:
        value = headers.get(name, "")
        if value.lower().startswith(BEARER):
            return value[len(BEARER) :].strip()
        if value and name != "authorization":
            return value.strip()
    return ""


def _checked(body: bytes, session: Session) -> dict[str, str]:
    """The fields of a form that one of our pages has sent.

    Raises:
        FormError: it is not.
    """
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS)
    except (UnicodeDecodeError, ValueError):
        raise FormError("this is no form: go back, load the page again and send it again") from None
    fields = dict(pairs)
    given = fields.pop("csrf", "")
    if not secrets.compare_digest(given.encode(), session.csrf.encode()):
        raise FormError("the page is older than your session: load it again, and send the form again")
    return fields


async def _nothing() -> Message:
    """After the body, all that can come is the end of the connection; nobody waits for it on a POST."""
    return {"type": "http.request", "body": b"", "more_body": False}
