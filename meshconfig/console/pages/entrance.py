"""How a browser comes in: the secret of the address, a token, and the choice of language and theme."""

import secrets

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from meshconfig.console.faults import NoSessionError
from meshconfig.console.registry import Page, get, post
from meshconfig.console.security.entrance import LOGIN, LOGOUT, cookie_name, login_for, put_cookie, visit
from meshconfig.console.security.sealed import Session
from meshconfig.console.view import LANGUAGE, THEME, THEMES, page
from meshconfig.console.way_back import FIRST, lead_back, local
from meshconfig.console.words import NAMES
from meshconfig.errors import InputError

YEAR = 365 * 24 * 3600  # seconds
CHOICES = {LANGUAGE: tuple(NAMES), THEME: ("auto", *THEMES)}
SETTING = {"language": LANGUAGE, "theme": THEME}
LONGEST = 3000  # characters of a token that is pasted in


def _opened(request: Request) -> Response:
    """The secret of the printed address becomes a cookie, and leaves the address."""
    settings = request.app.state.settings
    given = request.path_params["secret"]
    if not settings.secret or not secrets.compare_digest(given.encode(), settings.secret.encode()):
        raise NoSessionError("this address is of another console: open the one that `graylane console` printed last")
    answer = RedirectResponse("/", 303)
    put_cookie(answer, Session.new(), request.app.state.seal, settings)
    return answer


def _login(request: Request) -> Response:
    return _asked(request, request.query_params.get("next", FIRST))


def _asked(request: Request, wanted: str, error: str = "", status: int = 200) -> Response:
    """The form for a token, which leads to what the person wanted to see."""
    if request.app.state.settings.secret:
        return RedirectResponse("/", 303)  # the kubeconfig has the credentials
    return page(request, "login.html", status=status, error=error, wanted=local(wanted))


def _logged_in(request: Request) -> Response:
    state = request.app.state
    form = visit(request).form
    wanted, token = form.get("next", FIRST), "".join(form.get("token", "").split())
    lead_back(request, login_for(wanted))
    if not token or len(token) > LONGEST or not token.isascii() or not token.isprintable():
        return _asked(request, wanted, "login.shape", 400)
    session = visit(request).session.with_token(token)
    answer = RedirectResponse(local(wanted), 303)
    try:
        put_cookie(answer, session, state.seal, state.settings)
    except InputError:
        return _asked(request, wanted, "login.long", 400)
    return answer


def _logged_out(request: Request) -> Response:
    settings = request.app.state.settings
    answer = RedirectResponse("/" if settings.secret else LOGIN, 303)
    answer.delete_cookie(cookie_name(settings), path="/", secure=settings.secure, httponly=True, samesite="strict")
    return answer


def _set(request: Request) -> Response:
    """Keeps a choice of how pages look, and goes back to where it was made."""
    name, value = SETTING.get(request.path_params["name"], ""), request.path_params["value"]
    back = request.query_params.get("next", FIRST)
    answer = RedirectResponse(local(back), 303)
    if value in CHOICES.get(name, ()):
        secure = request.app.state.settings.secure
        answer.set_cookie(name, value, max_age=YEAR, path="/", secure=secure, httponly=True, samesite="strict")
    return answer


PAGE = Page(
    "entrance",
    None,
    [
        get("/open/{secret}", _opened),
        get("/set/{name}/{value}", _set),
        get(LOGIN, _login),
        post(LOGIN, _logged_in),
        post(LOGOUT, _logged_out),
    ],
)
