"""The live graph by lane: the lanes' picture with requests a second, errors and p95 of each edge, and its table."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from meshconfig import graph
from meshconfig.carry import OTHER, UNTAGGED
from meshconfig.carry.metrics import UNKNOWN
from meshconfig.console.live import Parts, stream
from meshconfig.console.observed import Observer, Seen, may_see
from meshconfig.console.refs import GroupRef
from meshconfig.console.registry import GROUP, Page, get, ref_of
from meshconfig.console.security.entrance import source_of
from meshconfig.console.view import page, part, reader
from meshconfig.palette import LINE, colours
from meshconfig.spec import LaneGroup
from meshconfig.traffic import Flow, arrows, rows

EVERY = 2.0  # seconds between two looks
FIRST, LATER = 1.0, 0.1  # seconds that a page, and each look of a stream, wait for a Prometheus
MOST_SERVICES, MOST_CELLS = 40, 400  # of a picture that a person can read
MOST_ROWS = 200  # of the table


def _graph(request: Request) -> Response:
    ref = ref_of(request)
    return page(request, "graph.html", ref=ref, **_view(request, ref, FIRST))


def _live(request: Request) -> Response:
    ref = ref_of(request)

    def look() -> Parts:
        values = _view(request, ref, LATER)
        return {} if values["waiting"] else {"graph": part(request, "graph_live.html", ref=ref, **values)}

    return stream(request, look, every=EVERY)


def _view(request: Request, ref: GroupRef, wait: float) -> dict[str, Any]:
    source, observer = source_of(request), _observer(request)
    stated = source.stated(ref)
    group = stated.group.spec
    seen: Seen[Flow] | None = None
    if observer is not None:
        may_see(source, group)
        seen = observer.flows(source, stated, wait)
    lane = request.query_params.get("lane", "")
    lane = lane if lane in group.spec.lanes else ""
    flows = [one for one in seen.what if not lane or one.lane == lane] if seen else []
    table = rows(group, flows)
    return {
        "lanes": list(group.spec.lanes),
        "lane": lane,
        "waiting": observer is not None and seen is None,
        "colour": {
            **dict.fromkeys((UNTAGGED, OTHER, UNKNOWN), LINE),
            **colours(group.spec.lanes, group.spec.tag.default),
        },
        "picture": _picture(request, _of_lane(group, lane), flows if seen else None),
        "rows": table[:MOST_ROWS],
        "left_out": max(0, len(table) - MOST_ROWS),
        "origin": observer.origin if observer else "",
        "since": seen.since if seen else None,
        "without_tags": seen.without_tags if seen else False,
        "query": f"?lane={lane}" if lane else "",
    }


def _observer(request: Request) -> Observer | None:
    found: Observer | None = request.app.state.observer
    return found


def _of_lane(group: LaneGroup, lane: str) -> LaneGroup:
    """The group with this lane and the baseline alone."""
    if not lane:
        return group
    kept = {name: one for name, one in group.spec.lanes.items() if name in (lane, group.spec.tag.default)}
    return group.model_copy(update={"spec": group.spec.model_copy(update={"lanes": kept})})


def _picture(request: Request, group: LaneGroup, flows: Sequence[Flow] | None) -> Markup:
    """Empty for a group that is too large for one."""
    services, lanes = len(group.spec.services), len(group.spec.lanes)
    if services > MOST_SERVICES or services * lanes > MOST_CELLS:
        return Markup("")
    drawn = graph.svg(group, None if flows is None else arrows(group, flows))
    name = Markup.escape(reader(request).words("graph.picture"))
    return Markup(drawn.replace("<svg ", f'<svg role="img" aria-label="{name}" ', 1))


PAGE = Page("graph", 20, [get(f"{GROUP}/graph", _graph), get(f"{GROUP}/graph/live", _live)])
