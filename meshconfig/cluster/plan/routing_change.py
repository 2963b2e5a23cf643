"""What a change does to requests: which lanes get other routes, and in which services."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from meshconfig.cluster.plan.generation import is_of_generation
from meshconfig.cluster.plan.subsets import Redefined, redefined
from meshconfig.cluster.plan.tags import Routes, Tag, asks_baggage, lane_of, lanes_of, meaning, set_values
from meshconfig.model import Name, Route, RouteId, RouteKind, RouteTable, RoutingState, Target

WAYS = (False, True)  # a tag comes as its header, or as a member of baggage alone


@dataclass(frozen=True, slots=True)
class RoutingChange:
    """The difference between the live and the wanted routing.

    Parameters:
        tag: the name of the tag's header.
        meanings: for each host that services may call, the live lanes that get other routes there; None stands for
            untagged requests. A service that joins or leaves the group counts as changed.
        entries: the live entries that lead elsewhere or are removed.
        lanes: the tags that the wanted routes ask for or the wanted entries set.
        enters: requests come in through entries both before and after the change.
        baggage: a request can be in a lane by W3C baggage alone, before or after the change.
        calls_known: the called hosts are known; if False, each host may be called.
        redefined: the subsets that get other Pods while requests go to them.
    """

    live: RoutingState
    wanted: RoutingState
    tag: str
    meanings: Mapping[str, tuple[Tag, ...]]
    entries: tuple[Name, ...]
    lanes: frozenset[str]
    enters: bool
    baggage: bool
    calls_known: bool
    redefined: Redefined = field(default_factory=Redefined)


def routing_change(live: RoutingState, wanted: RoutingState, tag: str, called: frozenset[str] | None) -> RoutingChange:
    """Compares the live routing with the wanted one.

    Parameters:
        tag: the name of the tag's header.
        called: the hosts that the wanted services call; None where it is not known. A service that leaves the group
            always counts as called.
    """
    before, after = lanes(live, tag), lanes(wanted, tag)
    meanings: dict[str, tuple[Tag, ...]] = {}
    for name in {**live.mesh, **wanted.mesh}:
        old, new = live.mesh.get(name), wanted.mesh.get(name)
        one = new or old
        if one is None or (called is not None and new and one.host not in called) or _is_own(old, new):
            continue
        if changed := _changed(old, new, tag, before, after):
            meanings[one.host] = changed
    return RoutingChange(
        live,
        wanted,
        tag,
        meanings,
        tuple(name for name, one in live.entries.items() if _leads(one) != _leads(wanted.entries.get(name))),
        after,
        bool(live.entries and wanted.entries),
        any(asks_baggage(one.routes, tag) for state in (live, wanted) for one in state.route_tables),
        called is not None,
        redefined(live, wanted),
    )


def _is_own(old: RouteTable | None, new: RouteTable | None) -> bool:
    """Whether a table is of the own host of a version outside the mesh, which only takes the tag off the requests."""
    leads = [one for table in (old, new) if table for route in table.routes for one in route.targets]
    hosts = {table.host for table in (old, new) if table}
    return bool(leads) and all(one.authority in hosts for one in leads) and _is_plain(old) and _is_plain(new)


def _is_plain(table: RouteTable | None) -> bool:
    return table is None or all(route.id.kind is RouteKind.DEFAULT for route in table.routes)


def _leads(entry: RouteTable | None) -> object:
    """All that decides which requests an entry takes and where it sends them; two equal values lead to the same."""
    if entry is None:
        return None
    further = (entry.lifted or {}).get("spec") or {}
    return entry.hosts, entry.gateways, entry.routes, further


def lanes(state: RoutingState, tag: str) -> frozenset[str]:
    """The tags that routes ask for or entries set, including those of a generation (`gray.next`)."""
    given = frozenset(value for one in state.entries.values() for value in set_values(one.routes, tag))
    return lanes_of((one.routes for one in state.route_tables), tag) | given


def _changed(
    old: RouteTable | None, new: RouteTable | None, tag: str, before: frozenset[str], after: frozenset[str]
) -> tuple[Tag, ...]:
    one, other = old or _plain(new), new or _plain(old)
    if one.routes == other.routes:
        return ()
    between = kept(one.routes, other.routes, tag, after) if new else one.routes
    changed: list[Tag] = []
    for lane in (None, *sorted(before)):
        then = other.routes if lane is None or lane in after else between
        if any(
            meaning(one.routes, tag, lane, in_baggage=way) != meaning(then, tag, lane, in_baggage=way) for way in WAYS
        ):
            changed.append(lane)
    return tuple(changed)


def kept(live: Routes, wanted: Routes, tag: str, lanes: frozenset[str]) -> tuple[Route, ...]:
    """The wanted routes, and the live routes of lanes that end, which stay until no request is in these lanes.

    The routes that stay come before the routes for untagged requests. If they are the only difference, the result is
    `live` itself, so that nothing needs to be written.

    Parameters:
        tag: the name of the tag's header.
        lanes: the lanes that do not end.
    """
    ending = [route for route in live if _ends(route, tag, lanes)]
    if [route for route in live if route not in ending] == list(wanted):
        return tuple(live)
    first = next((number for number, route in enumerate(wanted) if lane_of(route, tag) is None), len(wanted))
    return (*wanted[:first], *ending, *wanted[first:])


def _ends(route: Route, tag: str, lanes: frozenset[str]) -> bool:
    """Whether this is a route of a lane that ends, or of a generation that an interrupted change left."""
    lane = lane_of(route, tag)
    return lane not in lanes if lane is not None else is_of_generation(route, tag)


def _plain(table: RouteTable | None) -> RouteTable:
    assert table is not None  # a name comes from the live or the wanted tables, so one of the two exists
    return plain(table)


def plain(table: RouteTable) -> RouteTable:
    """A table that does what Istio does without a VirtualService: it sends all requests to all Pods of the service."""
    ports = (one.port for route in table.routes for one in route.targets if one.port and one.host in table.hosts)
    target = Target(table.host, next(ports, None))
    return replace(table, routes=(Route(RouteId(RouteKind.DEFAULT), (), (target,)),))
