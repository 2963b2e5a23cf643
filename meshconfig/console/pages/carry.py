"""Carry rates: which version loses the tag, and the calls that did."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from meshconfig.carry import VersionCarry
from meshconfig.console.live import Parts, stream
from meshconfig.console.observed import Observer, Seen, may_see
from meshconfig.console.refs import GroupRef
from meshconfig.console.registry import GROUP, Page, get, ref_of
from meshconfig.console.security.entrance import source_of
from meshconfig.console.view import page, part

EVERY = 2.0  # seconds between two looks
FIRST, LATER = 1.0, 0.1  # seconds that a page, and each look of a stream, wait for a Prometheus
LEAST = 0.99  # the share from which a version counts as one that carries the tag; that of `graylane carry --min`
SHOWN = 20  # lost calls of a version, the newest first


def _carry(request: Request) -> Response:
    ref = ref_of(request)
    return page(request, "carry.html", ref=ref, **_view(request, ref, FIRST))


def _live(request: Request) -> Response:
    ref = ref_of(request)

    def look() -> Parts:
        values = _view(request, ref, LATER)
        return {} if values["waiting"] else {"carry": part(request, "carry_live.html", ref=ref, **values)}

    return stream(request, look, every=EVERY)


def _view(request: Request, ref: GroupRef, wait: float) -> dict[str, Any]:
    observer: Observer | None = request.app.state.observer
    source = source_of(request)
    stated = source.stated(ref)
    seen: Seen[VersionCarry] | None = None
    if observer is not None:
        may_see(source, stated.group.spec)
        seen = observer.carry(source, stated, wait)
    return {
        "versions": seen.what if seen else (),
        "waiting": observer is not None and seen is None,
        "origin": observer.origin if observer else "",
        "since": seen.since if seen else None,
        "least": LEAST,
        "shown": SHOWN,
    }


PAGE = Page("carry", 35, [get(f"{GROUP}/carry", _carry), get(f"{GROUP}/carry/live", _live)])
