"""Renders templates. What comes from elsewhere is text: autoescaped, and without characters that reorder or hide it."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from meshconfig.console.refs import GroupRef
from meshconfig.console.registry import navigation
from meshconfig.console.security.entrance import Visit
from meshconfig.console.way_back import here
from meshconfig.console.words import NAMES, Words, chosen, words
from meshconfig.printable import escape_line
from meshconfig.traffic.shown import number, share
from meshconfig.version import version

LANGUAGE, THEME = "graylane-language", "graylane-theme"
THEMES = ("light", "dark")


def shown(value: Any) -> Any:
    """What a template's expression gives: markup of a template stays, any other text becomes one visible line."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return escape_line(value)


def _iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("meshconfig.console"),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["iso"] = _iso
    environment.filters["moment"] = lambda seconds: datetime.fromtimestamp(seconds, UTC)
    environment.filters["three"], environment.filters["share"] = number, share
    environment.filters["percent"] = lambda share: f"{share:.4g} %"
    return environment


ENVIRONMENT = _environment()


@dataclass(frozen=True, slots=True)
class Reader:
    """How one request's person reads pages."""

    words: Words
    theme: str


def reader(request: Request) -> Reader:
    theme = request.cookies.get(THEME, "")
    language = chosen(request.cookies.get(LANGUAGE, ""), request.headers.get("accept-language", ""))
    return Reader(words(language), theme if theme in THEMES else "")


def page(
    request: Request, template: str, *, status: int = 200, ref: GroupRef | None = None, **values: Any
) -> HTMLResponse:
    """A whole page.

    Parameters:
        template: its file in `templates`.
        ref: the group that the page is about, for the navigation.
        values: what the template names.
    """
    return HTMLResponse(_template(request, template, ref, values), status)


def part(request: Request, template: str, *, ref: GroupRef | None = None, **values: Any) -> str:
    """A piece of a page, as server-sent events replace it."""
    return _template(request, template, ref, values)


def _template(request: Request, template: str, ref: GroupRef | None, values: dict[str, Any]) -> str:
    seen: Visit | None = request.scope.get("visit")
    how = reader(request)
    context = {
        "t": how.words,
        "theme": how.theme,
        "languages": NAMES,
        "csrf": seen.session.csrf if seen else "",
        "source": seen.source if seen else None,
        "person": seen.person if seen else "",
        "path": request.url.path,
        "once": _key(request),
        "here": here(request),
        "ref": ref,
        "nav": navigation(ref, local=request.app.state.local) if ref else (),
        "version": version(),
        "url": at,
        **values,
    }
    return ENVIRONMENT.get_template(template).render(context)


def _key(request: Request) -> str:
    """One for all forms of an answer, also of a stream, whose parts change only where something else does."""
    return str(request.scope.setdefault("once", secrets.token_urlsafe(12)))


def at(ref: GroupRef, *parts: str) -> str:
    """The path of a page about a group."""
    return "/".join(["/g", *(quote(one, safe="") for one in (ref.namespace, ref.name, *parts))])
