"""Names of HTTPRoutes. A name is the text form of a route's identity; only this module makes and reads it.

    gray            the lane gray           gray.next       the same, for tags of the generation `next`
    admit-1         an entry's first admit  rule-2          a service's second rule
    cookie:gray     gray's cookie           link:gray       the link that sets it; link: for links into no lane
    bucket:gray     gray's buckets          bucket:gray:v2  those in which gray's requests get the version v2
    default         all other requests      lane:default    a lane that is called default

A lane's name has no dot and no colon, so no lane can have a name of the last two lines.
"""

import re

from meshconfig.model import RouteId, RouteKind

DEFAULT = "default"
_LANE = "lane:"
_NUMBERED = re.compile(r"(rule|admit)-([1-9][0-9]*)")
_DOOR = re.compile(r"(cookie|link|bucket):(.*)")
_NAME = r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_LANE_NAME = re.compile(_NAME)
_BUCKETS = re.compile(rf"{_NAME}(:{_NAME})?")
GENERATION = re.compile(r"next[0-9]*")


def route_name(route: RouteId) -> str:
    """The name of a route. No two routes of a table have the same name."""
    return f"{_base(route)}.{route.generation}" if route.generation else _base(route)


def _base(route: RouteId) -> str:
    match route.kind:
        case RouteKind.LANE:
            return f"{_LANE}{route.key}" if _stands_for_another(route.key) else route.key
        case RouteKind.COOKIE | RouteKind.LINK | RouteKind.BUCKET:
            return f"{route.kind.value}:{route.key}"
        case RouteKind.ADMIT | RouteKind.RULE:
            return f"{route.kind.value}-{route.key}"
        case RouteKind.DEFAULT:
            return DEFAULT
        case RouteKind.UNKNOWN:
            return route.key


def _stands_for_another(lane: str) -> bool:
    return lane == DEFAULT or bool(_NUMBERED.fullmatch(lane))


def route_id(name: str) -> RouteId:
    """The identity of a route with this name, the reverse of `route_name`; UNKNOWN for a name of any other form."""
    base, _, generation = name.rpartition(".")
    if not (base and GENERATION.fullmatch(generation)):
        base, generation = name, ""
    if base == DEFAULT:
        return RouteId(RouteKind.DEFAULT, "", generation)
    if numbered := _NUMBERED.fullmatch(base):
        return RouteId(RouteKind(numbered[1]), numbered[2], generation)
    if (door := _DOOR.fullmatch(base)) and _is_key(door[1], door[2]):
        return RouteId(RouteKind(door[1]), door[2], generation)
    lane = base.removeprefix(_LANE)
    if _LANE_NAME.fullmatch(lane) and (lane == base or _stands_for_another(lane)):
        return RouteId(RouteKind.LANE, lane, generation)
    return RouteId(RouteKind.UNKNOWN, base, generation)


def _is_key(kind: str, key: str) -> bool:
    """Whether a route of this kind may have the key."""
    if kind == RouteKind.BUCKET:
        return bool(_BUCKETS.fullmatch(key))
    return bool(_LANE_NAME.fullmatch(key)) or (kind == RouteKind.LINK and not key)
