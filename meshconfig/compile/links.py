"""Links into a lane: they set the lane's cookie in a browser."""

from collections.abc import Iterator

from meshconfig.compile.cookies import set_cookie
from meshconfig.load import FieldPath
from meshconfig.model import Condition, Origin, Route, RouteId, RouteKind, StringMatch
from meshconfig.spec import Entry, LaneGroup

NOT_FOUND = 404
FOUND = 302


def link_routes(spec: Entry, group: LaneGroup, field: FieldPath) -> Iterator[Route]:
    """The routes of an entry's links: one for each lane, and one that answers 404 for what is no lane.

    Parameters:
        field: the entry's path in the spec.
    """
    if spec.links is None:
        return
    # A link leads to no service; an origin names the one of the first path, for whoever asks what an entry leads to.
    origin = Origin((*field, "links"), spec.routes[0].service)
    lanes = sorted(group.spec.lanes)
    for lane in lanes:
        leads = Condition(path=StringMatch("exact", f"{spec.links}/{lane}"))
        fields = {"redirect": {"uri": "/", "redirectCode": FOUND}, "headers": _sets(_cookie(spec, group, lane))}
        yield Route(RouteId(RouteKind.LINK, lane), (leads,), fields=fields, origin=origin)
    text = f"graylane: no such lane. Links: {', '.join(f'{spec.links}/{lane}' for lane in lanes)}\n"
    fields = {"directResponse": {"status": NOT_FOUND, "body": {"string": text}}}
    below = (StringMatch("exact", spec.links), StringMatch("prefix", f"{spec.links}/"))
    yield Route(RouteId(RouteKind.LINK), tuple(Condition(path=one) for one in below), fields=fields, origin=origin)


def _sets(cookie: str) -> dict[str, object]:
    # A redirect that a cache kept would not set the cookie anew after the browser has dropped it.
    # `%` begins a format of Envoy's.
    return {"response": {"add": {"set-cookie": cookie.replace("%", "%%")}, "set": {"cache-control": "no-store"}}}


def _cookie(spec: Entry, group: LaneGroup, lane: str) -> str:
    """What a link sets: the lane's cookie until the browser is closed. The baseline's link takes the cookie away."""
    gone = lane == group.spec.tag.default
    return set_cookie(spec, spec.cookie or "", "" if gone else lane, max_age=0 if gone else None)
