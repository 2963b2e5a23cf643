"""What a sticky split makes of a request: its bucket, and what decided instead of it."""

import re
from collections.abc import Iterator, Sequence

from meshconfig.draws import Draw, draw, from_to
from meshconfig.explain.names import Names
from meshconfig.istio.types import HTTPRoute, HTTPRouteDestination
from meshconfig.model import Route, RouteId, RouteKind, SetTag, Target
from meshconfig.simulate import Decision, Request

_NUMBER = re.compile(r"0|[1-9][0-9]?")
_DECIDES = re.compile(r"bucket[:.].*")  # the name of a route for buckets, in a VirtualService or an HTTPRoute


def bucket_notes(names: Names, request: Request, decision: Decision) -> list[str]:
    """Sentences about the bucket of a request; none where no sticky split could take it."""
    ref = decision.route
    if ref is None or ref.kind != "http":
        return []
    owner = next((one for one in names.given.index.resources.virtual_services if one.key == ref.virtual_service), None)
    routes = owner.spec.http[ref.index :] if owner else ()
    # A path's draw stands behind all its other routes.
    found = next(((route, one) for route in routes if (one := _draw(route, names))), None)
    if found is None:
        return []
    route, drawn = found
    return list(_notes(drawn, _values(request, drawn.cookie), ref.name, is_draw=route is routes[0]))


def _notes(drawn: Draw, values: Sequence[str], route: str, *, is_draw: bool) -> Iterator[str]:
    valid = [one for one in values if _NUMBER.fullmatch(one) and int(one) < drawn.buckets]
    shares = ", ".join(f"{from_to(first, last)} {owner}" for owner, first, last in drawn.runs)
    if is_draw:
        for one in values:
            yield f"{drawn.cookie}={one} is none of the {drawn.buckets} buckets, so it counts for nothing"
        yield f"no bucket: one of {drawn.buckets} is drawn ({shares}), and the answer sets {drawn.cookie} to it"
    elif not valid:
        return
    elif _DECIDES.fullmatch(route):
        several = f", the first of the routes that {drawn.cookie} fits" if len({*valid}) > 1 else ""
        yield f"bucket {' and '.join(valid)} of {drawn.buckets} decides ({shares}){several}"
    else:
        yield f"bucket {' and '.join(valid)} of {drawn.buckets} counts for nothing: {route or 'a route'} comes first"


def _values(request: Request, cookie: str) -> list[str]:
    """The values of a cookie, as the regular expressions of routes tell cookies apart."""
    sent = [one for name, value in request.pairs if name == "cookie" for one in value.split(";")]
    pairs = (one.strip(" ").partition("=") for one in sent)
    return [value for name, _, value in pairs if name == cookie]


def _draw(route: HTTPRoute, names: Names) -> Draw | None:
    targets = tuple(_target(one, names) for one in route.route)
    return draw(Route(RouteId(RouteKind.UNKNOWN), targets=targets))


def _target(one: HTTPRouteDestination, names: Names) -> Target:
    given = {name.lower(): value for name, value in one.headers.request.set.items()}
    tag = next((SetTag(given[name]) for name in names.carrying.tags if name in given), None)
    answers = {name.lower(): value for name, value in one.headers.response.add.items()}
    return Target(
        one.destination.host, None, one.destination.subset, one.weight, tag, "", answers.get("set-cookie", "")
    )
