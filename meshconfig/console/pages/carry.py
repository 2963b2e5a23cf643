"""Carry rates: which version loses the tag, and the calls that did."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from meshconfig.console.live import stream
from meshconfig.console.observed import Observer, may_see
from meshconfig.console.refs import GroupRef
from meshconfig.console.registry import GROUP, Page, get, ref_of
from meshconfig.console.security.entrance import source_of
from meshconfig.console.view import page, part

EVERY = 2.0  # seconds between two looks
LEAST = 0.99  # the share from which a version counts as one that carries the tag; that of `graylane carry --min`
SHOWN = 20  # lost calls of a version, the newest first


def _carry(request: Request) -> Response:
    ref = ref_of(request)
    return page(request, "carry.html", ref=ref, **_view(request, ref))


def _live(request: Request) -> Response:
    ref = ref_of(request)
    return stream(
        request, lambda: {"carry": part(request, "carry_live.html", ref=ref, **_view(request, ref))}, every=EVERY
    )


def _view(request: Request, ref: GroupRef) -> dict[str, Any]:
    observer: Observer | None = request.app.state.observer
    source = source_of(request)
    stated = source.stated(ref)
    if observer is None:
        return {"versions": (), "origin": "", "since": None, "least": LEAST, "shown": SHOWN}
    may_see(source, stated.group.spec)
    seen = observer.carry(source, stated)
    return {
        "versions": seen.what, "origin": observer.origin, "since": seen.since, "least": LEAST, "shown": SHOWN,
    }  # fmt: skip


PAGE = Page("carry", 35, [get(f"{GROUP}/carry", _carry), get(f"{GROUP}/carry/live", _live)])
