"""Finds the header that carries the tag: the one by which most routes tell subsets apart."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from meshconfig.importing.merged import Merged
from meshconfig.istio.routes import NamedRoute
from meshconfig.istio.types import HTTPMatchRequest, HTTPRoute
from meshconfig.simulate import Index
from meshconfig.spec.group import LANE_NAME, TAKEN, Tag

DEFAULT = str(Tag.model_fields["header"].default)
_LANE = re.compile(LANE_NAME)


def is_lane(value: str) -> bool:
    """Whether a header's value can be the name of a lane."""
    return bool(_LANE.fullmatch(value))


def tag_header(index: Index) -> str:
    """The header that most routes match exactly, each leading to one subset; `env` where no header is such.

    A header that a route matches together with others counts half: it may narrow the others only. Routes of the Gateway
    API repeat a match in narrower forms, so that each value of a header counts once there.
    """
    found: Counter[str] = Counter()
    for one in index.resources.virtual_services:
        votes = list(_votes(index.routes(one) if one.spec.hosts else ()))
        for name, _, points in sorted(set(votes)) if isinstance(one, Merged) else votes:
            found[name] += points
    return min(found, key=lambda name: (-found[name], name)) if found else DEFAULT


def _votes(routes: Iterable[NamedRoute]) -> Iterator[tuple[str, str, int]]:
    for named in routes:
        if not named.route.route or not _one_subset(named.route):
            continue
        for match in named.route.match:
            names = list(_exact(match))
            yield from ((name, value, 2 if len(match.headers) == 1 else 1) for name, value in names)


def _one_subset(route: HTTPRoute) -> bool:
    return len(route.route) == 1 and bool(route.route[0].destination.subset)


def _exact(match: HTTPMatchRequest) -> Iterator[tuple[str, str]]:
    for name, value in match.headers.items():
        if value.exact and is_lane(value.exact) and name.lower() not in TAKEN and not name.startswith(("@", ":")):
            yield name.lower(), value.exact
