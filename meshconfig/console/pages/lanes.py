"""Lanes × services: versions, ready Pods, shares, fallbacks, drift, and who changed what."""

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from meshconfig.console.live import Parts, stream
from meshconfig.console.matrix import Choice, matrix
from meshconfig.console.registry import GROUP, Page, get, ref_of
from meshconfig.console.security.entrance import source_of
from meshconfig.console.sources.source import GroupView
from meshconfig.console.view import page, part

FIRST = 0.4  # seconds that the first paint waits for a reading
LATER = 0.1  # seconds that the stream waits each time: all streams share a few threads
EVERY = 0.5  # seconds between two looks of the stream
LONGEST = 253  # characters of what a person searches for


def _lanes(request: Request) -> Response:
    ref, choice = ref_of(request), _choice(request)
    view = source_of(request).look(ref, FIRST)
    query = _query(choice)
    return page(request, "lanes.html", ref=ref, choice=choice, events=f"events?{query}", **_shown(view, choice))


def _events(request: Request) -> Response:
    ref, choice, source = ref_of(request), _choice(request), source_of(request)
    seen: GroupView | None = None

    def look() -> Parts:
        nonlocal seen
        view = source.look(ref, LATER)
        if view is None or view is seen:
            return {}
        seen, shown = view, _shown(view, choice)
        return {
            "table": part(request, "lanes_table.html", ref=ref, choice=choice, **shown),
            "taken": part(request, "lanes_taken.html", view=view),
        }

    return stream(request, look, every=EVERY)


def _shown(view: GroupView | None, choice: Choice) -> dict[str, Any]:
    """`rows_at` and `lanes_at` are addresses of other pages of the table, without the number."""
    query = {name: value for name, value in _fields(choice).items() if name not in ("page", "lanes")}
    return {
        "view": view,
        "table": matrix(view, choice) if view else None,
        "rows_at": "?" + urlencode({**query, "lanes": choice.lanes}) + "&",
        "lanes_at": "?" + urlencode(query) + "&",
    }


def _choice(request: Request) -> Choice:
    """What the address asks for; what makes no sense in it counts as not given."""
    given = request.query_params
    service, lane = (given.get(name, "").strip()[:LONGEST] for name in ("service", "lane"))
    numbers = (given.get(name, "") for name in ("page", "lanes"))
    page_number, lanes = (int(one) if one.isdecimal() and len(one) < 7 else 1 for one in numbers)
    return Choice(service, lane, given.get("own") == "1", page_number, lanes)


def _fields(choice: Choice) -> dict[str, str]:
    found = {"service": choice.service, "lane": choice.lane, "own": "1" if choice.own else ""}
    numbers = {"page": str(choice.page), "lanes": str(choice.lanes)}
    return {**{name: value for name, value in found.items() if value}, **numbers}


def _query(choice: Choice) -> str:
    return urlencode(_fields(choice))


PAGE = Page("lanes", 10, [get(f"{GROUP}/lanes", _lanes), get(f"{GROUP}/lanes/events", _events)])
