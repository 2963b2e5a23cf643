"""The routes and matches that no request reaches, and in words the earlier one that takes their requests."""

from collections.abc import Iterator

from meshconfig.errors import dotted
from meshconfig.istio import VirtualService
from meshconfig.lint.index import Index
from meshconfig.lint.origin import Rendered
from meshconfig.lint.shadowing.unreachable import MatchPosition, Reason
from meshconfig.load import FieldPath
from meshconfig.model import RouteKind

Named = tuple[VirtualService, FieldPath, str]


def unreachable_routes(index: Index, reason: Reason) -> Iterator[Named]:
    """Each route that never answers, for this reason."""
    for owner, found in index.unreachable:
        unreachable = frozenset(route.route for route in found.routes)
        for route in found.routes:
            if route.reason is reason and not _by_construction(owner, route.route, unreachable):
                earlier = dict.fromkeys(_shown(owner, one.by, None) for one in route.matches)
                yield owner, ("spec", "http", route.route), " and ".join(earlier)


def unreachable_matches(index: Index, reason: Reason) -> Iterator[Named]:
    """Each match that is never decisive, of a route that answers by another."""
    for owner, found in index.unreachable:
        if isinstance(owner.source, Rendered):
            continue  # nobody wrote these: a route of a spec is one match, which what it compiles to may repeat
        for one in found.matches:
            if one.reason is reason:
                yield owner, one.at.path, _shown(owner, one.by, one.at.route)


def _by_construction(owner: VirtualService, number: int, unreachable: frozenset[int]) -> bool:
    """Is it dead because an entry repeats lanes, admits and rules for each of its paths?

    Mistakes there are a path of which nothing is left, for which its last route speaks, and an admit that is dead at
    every path. A rule's own mistakes show in the routes between services.
    """
    source = owner.source
    if not isinstance(source, Rendered) or source.entry is None:
        return False
    last = source.last_of_path(number)
    route = source.route(number)
    if last in unreachable or route.id.kind is not RouteKind.ADMIT:
        return number != last
    same = source.alike(number)
    return number != same[0] or not unreachable.issuperset(same)


def _shown(owner: VirtualService, place: MatchPosition, own: int | None) -> str:
    """`http[2] (gray)`; within the same route, `match[0]`; of a rendered one, the field of the spec."""
    if isinstance(owner.source, Rendered):
        return dotted(owner.source.field(place.path))
    if place.route == own:
        return f"match[{place.match}]"
    name = owner.spec.http[place.route].name
    return f"http[{place.route}]" + (f" ({name})" if name else "")
