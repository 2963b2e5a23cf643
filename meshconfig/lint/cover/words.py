"""The routes and matches that no request reaches, and in words the earlier one that takes their requests."""

from collections.abc import Iterator

from meshconfig.istio import VirtualService
from meshconfig.lint.cover.dead import Place, Reason
from meshconfig.lint.index import Index
from meshconfig.load import FieldPath

Named = tuple[VirtualService, FieldPath, str]


def dead_routes(index: Index, reason: Reason) -> Iterator[Named]:
    """Each route that never answers, for this reason."""
    for owner, verdict in index.verdicts:
        for route in verdict.routes:
            if route.reason is reason:
                earlier = dict.fromkeys(_shown(owner, one.by, None) for one in route.matches)
                yield owner, ("spec", "http", route.route), " and ".join(earlier)


def dead_matches(index: Index, reason: Reason) -> Iterator[Named]:
    """Each match that is never decisive, of a route that answers by another."""
    for owner, verdict in index.verdicts:
        for one in verdict.matches:
            if one.reason is reason:
                yield owner, one.at.path, _shown(owner, one.by, one.at.route)


def _shown(owner: VirtualService, place: Place, own: int | None) -> str:
    """`http[2] (gray)`; within the same route, `match[0]`."""
    if place.route == own:
        return f"match[{place.match}]"
    name = owner.spec.http[place.route].name
    return f"http[{place.route}]" + (f" ({name})" if name else "")
