"""Preview lanes: how far each is and when it ends; made, prolonged and ended."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from meshconfig.cluster import previews
from meshconfig.cluster.object_write import check_git
from meshconfig.cluster.objects import Manifest
from meshconfig.console.faults import MissingError
from meshconfig.console.live import Parts, stream
from meshconfig.console.registry import GROUP, Page, get, ref_of, write
from meshconfig.console.security.entrance import source_of, visit
from meshconfig.console.sources import preview_lanes
from meshconfig.console.sources.cluster import client_of
from meshconfig.console.view import at, page, part
from meshconfig.errors import InputError

EVERY = 1.5  # seconds between two looks
HOURS = (1, 4, 8, 24, 72)  # by which a lane is prolonged


def _previews(request: Request) -> Response:
    ref = ref_of(request)
    found = previews.each(client_of(source_of(request)), ref.namespace, ref.name)
    return page(request, "previews.html", ref=ref, lanes=found, hours=HOURS, mark_of=preview_lanes.mark_of)


def _events(request: Request) -> Response:
    ref, client = ref_of(request), client_of(source_of(request))

    def look() -> Parts:
        found = previews.each(client, ref.namespace, ref.name)
        return {
            "previews": part(
                request, "previews_table.html", ref=ref, lanes=found, hours=HOURS, mark_of=preview_lanes.mark_of
            )
        }

    return stream(request, look, every=EVERY)


def _preview(request: Request) -> Response:
    ref, fields = ref_of(request), dict(request.query_params)
    proposal = preview_lanes.propose(client_of(source_of(request)), ref, _document(request, fields))
    kept = {name: fields.get(name, "") for name in ("lane", "ttl")}
    kept["versions"] = preview_lanes.BETWEEN.join(fields.get("versions", "").splitlines())
    return page(request, "preview_lane.html", ref=ref, proposal=proposal, fields=kept)


def _make(request: Request) -> Response:
    ref, client = ref_of(request), client_of(source_of(request))
    value = _document(request, dict(visit(request).form))
    preview_lanes.propose(client, ref, value)  # what does not fit the group is said here, and not by a controller
    preview_lanes.make(client, value)
    return RedirectResponse(at(ref, "previews"), 303)


def _document(request: Request, fields: dict[str, str]) -> Manifest:
    name, ttl = fields.get("lane", "").strip(), fields.get("ttl", "").strip() or "8h"
    return preview_lanes.document(ref_of(request), name, ttl, fields.get("versions", ""))


def _keep(request: Request) -> Response:
    ref, form = ref_of(request), visit(request).form
    if form.get("hours", "") not in {str(one) for one in HOURS}:
        raise InputError.at("hours", f"takes one of {', '.join(map(str, HOURS))}")
    seen, hours = form.get("mark", ""), int(form["hours"])
    preview_lanes.prolong(client_of(source_of(request)), ref, form.get("lane", ""), hours, seen)
    return RedirectResponse(at(ref, "previews"), 303)


def _ending(request: Request) -> Response:
    """What goes with a lane, before it is ended."""
    ref, name = ref_of(request), request.query_params.get("lane", "")
    one = preview_lanes.found(client_of(source_of(request)), ref, name)
    check_git(one)
    return page(request, "preview_end.html", ref=ref, lane=one)


def _end(request: Request) -> Response:
    ref, form, client = ref_of(request), visit(request).form, client_of(source_of(request))
    one = preview_lanes.found(client, ref, form.get("lane", ""))
    if one.uid != form.get("mark"):
        raise MissingError(f"the preview lane {one.name} is another one than you have seen")
    check_git(one)
    previews.delete(client, ref.namespace, one.name)
    return RedirectResponse(at(ref, "previews"), 303)


def _back(request: Request) -> str:
    return at(ref_of(request), "previews")


PAGE = Page(
    "previews",
    45,
    [
        get(f"{GROUP}/previews", _previews),
        get(f"{GROUP}/previews/events", _events),
        get(f"{GROUP}/previews/preview", _preview),
        get(f"{GROUP}/previews/ending", _ending),
        write(f"{GROUP}/previews/make", _make, _back),
        write(f"{GROUP}/previews/keep", _keep, _back),
        write(f"{GROUP}/previews/end", _end, _back),
    ],
    local=False,
)
