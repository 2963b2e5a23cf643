"""Lanes × services."""

from starlette.requests import Request
from starlette.responses import Response

from meshconfig.console.registry import GROUP, Page, get, ref_of
from meshconfig.console.security.entrance import source_of
from meshconfig.console.view import page


def _lanes(request: Request) -> Response:
    ref = ref_of(request)
    return page(request, "lanes.html", ref=ref, view=source_of(request).look(ref))


PAGE = Page("lanes", 10, [get(f"{GROUP}/lanes", _lanes)])
