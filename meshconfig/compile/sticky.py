"""A sticky split: routes for the users whose cookie has a bucket, and the draw for those without one."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from meshconfig.compile.buckets import ENDS, ends, numbers, owners
from meshconfig.compile.conditions import cookie_condition
from meshconfig.compile.cookies import set_cookie
from meshconfig.draws import runs
from meshconfig.errors import nearest
from meshconfig.load import FieldPath
from meshconfig.model import Origin, Route, RouteId, RouteKind, Target
from meshconfig.spec import Entry, LaneGroup, ServiceInGroup, Sticky
from meshconfig.spec.match import StringMatch

Wrong = tuple[FieldPath, str]


class Share(NamedTuple):
    """Who has a bucket.

    Parameters:
        lane: the lane that a split gives it to; None where the entry has no split.
        version: the version that the service's weights give it to; None where they give none.
    """

    lane: str | None
    version: str | None = None


def shares(spec: Entry, service: ServiceInGroup) -> tuple[Share, ...]:
    """Whose each bucket is at a path to a service; empty where nothing is to be kept."""
    if spec.sticky is None:
        return ()
    lanes = lane_owners(spec.sticky, spec.split, service.group) if spec.split else ()
    versions = version_owners(spec.sticky, service)
    if not (lanes or versions):
        return ()
    nothing = (None,) * spec.sticky.buckets
    return tuple(map(Share, lanes or nothing, versions or nothing))


def lane_owners(sticky: Sticky, split: Mapping[str, int], group: LaneGroup) -> tuple[str, ...]:
    """The lane that has each bucket."""
    base = group.spec.tag.default
    return owners(split, base, ends(sticky.order, split, base), sticky.buckets)


def version_owners(sticky: Sticky, service: ServiceInGroup) -> tuple[str, ...]:
    """The version that has each bucket, of a service without lanes that has weights; empty for any other service.

    Its first version by name has what the others leave.
    """
    weights = weights_without_lanes(service)
    if len(weights) < ENDS:
        return ()
    base, *others = sorted(weights)
    return owners(weights, base, others, sticky.buckets)


def weights_without_lanes(service: ServiceInGroup) -> dict[str, int]:
    """The weights above 0 of a service of which no lane has a version; empty for any other service."""
    if any(service.version_in(lane) is not None for lane in service.group.spec.lanes):
        return {}
    return {version: weight for version, weight in (service.spec.weights or {}).items() if weight}


def bucket_routes(
    spec: Entry, drawn: Sequence[Share], targets: Mapping[Share, tuple[Target, ...]], baseline: str, origin: Origin
) -> Iterator[tuple[Share, Route]]:
    """A route for the buckets of each share. A cookie with any other value matches none of them.

    Parameters:
        drawn: whose each bucket is.
        targets: where the requests of each share go.
    """
    assert spec.sticky is not None
    for share, first, last in runs(drawn):
        key = (share.lane or baseline) + (f":{share.version}" if share.version else "")
        has_it = cookie_condition(spec.sticky.cookie, StringMatch(regex=numbers(first, last)))
        yield share, Route(RouteId(RouteKind.BUCKET, key), (has_it,), targets[share], origin=origin)


def draw(spec: Entry, drawn: Sequence[Share], targets: Mapping[Share, tuple[Target, ...]]) -> tuple[Target, ...]:
    """The targets of a request without a bucket: all buckets with the same weight. Each sets its number as a cookie."""
    whole = math.lcm(*(_total(targets[share]) for share in drawn))
    return tuple(
        replace(target, weight=(target.weight or 1) * whole // _total(targets[share]), set_cookie=_cookie(spec, number))
        for number, share in enumerate(drawn)
        for target in targets[share]
    )


def _total(targets: Sequence[Target]) -> int:
    return sum(target.weight or 1 for target in targets)


def _cookie(spec: Entry, number: int) -> str:
    assert spec.sticky is not None
    sticky = spec.sticky
    return set_cookie(spec, sticky.cookie, str(number), max_age=int(sticky.max_age), domain=cookie_domain(spec))


def cookie_domain(spec: Entry) -> str | None:
    """The Domain of the bucket's cookie: the given one, or a host of the entry that all the others are below."""
    assert spec.sticky is not None
    if spec.sticky.domain or len(spec.hosts) == 1:
        return spec.sticky.domain
    return next((host for host in spec.hosts if all(is_below(other, host) for other in spec.hosts)), None)


def is_below(host: str, domain: str) -> bool:
    """Whether a browser sends a cookie with this Domain to the host."""
    return host == domain or host.endswith(f".{domain}")


def problems(group: LaneGroup, spec: Entry, where: FieldPath) -> Iterator[Wrong]:
    """What keeps a sticky split from compiling."""
    if (sticky := spec.sticky) is None:
        return
    at, base = (*where, "sticky"), group.spec.tag.default
    for index, lane in enumerate(sticky.order):
        if lane not in group.spec.lanes:
            yield (*at, "order", index), f"there is no lane {lane}{nearest(lane, group.spec.lanes)}"
    if sticky.domain and (other := next((one for one in spec.hosts if not is_below(one, sticky.domain)), None)):
        yield (*at, "domain"), f"browsers take no cookie for {sticky.domain} from the host {other}"
    split = spec.split or {}
    if len(named := ends(sticky.order, split, base)) > ENDS:
        lanes = ", ".join(named)
        yield (*where, "split"), f"sticky keeps users in at most two lanes beside {base}: {lanes} have a share"
    yield from _versions(group, spec, where)


def _versions(group: LaneGroup, spec: Entry, where: FieldPath) -> Iterator[Wrong]:
    for index, route in enumerate(spec.routes):
        if route.service not in group.spec.services:
            continue
        versions = weights_without_lanes(group.service(route.service))
        at = (*where, "routes", index, "service")
        if len(versions) > ENDS + 1:
            named = ", ".join(sorted(versions))
            yield at, f"sticky keeps users at no more than three versions of {route.service}: {named} have weights"
