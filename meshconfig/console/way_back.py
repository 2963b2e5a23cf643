"""Where a page's links lead back to."""

from typing import Any
from urllib.parse import quote

from starlette.requests import Request

from meshconfig.console.security.guard import READS

FIRST = "/"


def lead_back(request: Request, path: str) -> None:
    """Has the links of the answer to a form lead to a page: its own address shows nothing."""
    request.scope["here"] = path


def here(request: Request) -> str:
    """The page's own address; of the answer to a form, the page that it leads back to."""
    if request.method not in READS:
        return str(request.scope.get("here", FIRST))
    query = f"?{request.url.query}" if request.url.query else ""
    return f"/{request.url.path.lstrip('/')}{query}"  # `//` names a host


def local(back: Any) -> str:
    """A path of this console; the first page for anything that a browser could take for another site."""
    if not back.startswith("/") or back.startswith(("//", "/\\")) or not back.isprintable() or "\\" in back:
        return FIRST
    return quote(back, safe="/?&=%:+,~.-_!*'()@;$")
