"""What a change means to requests: which lanes meet something else, and in which services."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from meshconfig.cluster.plan.generation import is_of_generation
from meshconfig.cluster.plan.subsets import Redefined, redefined
from meshconfig.cluster.plan.tags import Routes, Tag, asks_baggage, lane_of, lanes_of, meaning, set_values
from meshconfig.model import Name, Route, RouteId, RouteKind, RouteTable, RoutingState, Target


@dataclass(frozen=True, slots=True)
class RoutingChange:
    """From live to wanted.

    Parameters:
        meanings: for each host that some service may call, the lanes known before that meet something else there;
            None stands for untagged requests. A service that joins or leaves the group counts.
        entries: entries that were there and lead elsewhere or go.
        lanes: those that wanted knows.
        enters: something comes in through entries, before and after.
        baggage: W3C baggage alone puts a request into a lane, before or after.
        calls_known: which hosts are called was given; else each may be.
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
    """What a change means.

    Parameters:
        called: the hosts that wanted's services call; a service that leaves the group may be called by any.
    """
    before, after = lanes(live, tag), lanes(wanted, tag)
    meanings: dict[str, tuple[Tag, ...]] = {}
    for name in {**live.mesh, **wanted.mesh}:
        old, new = live.mesh.get(name), wanted.mesh.get(name)
        one = new or old
        if one is None or (called is not None and new and one.host not in called):
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


def _leads(entry: RouteTable | None) -> object:
    """Which requests an entry takes, and where to."""
    if entry is None:
        return None
    further = (entry.lifted or {}).get("spec") or {}
    return entry.hosts, entry.gateways, entry.routes, further


def lanes(state: RoutingState, tag: str) -> frozenset[str]:
    """The tags that routes ask for or entries set; a generation's (`gray.next`) are among them."""
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
        if meaning(one.routes, tag, lane) != meaning(then, tag, lane):
            changed.append(lane)
    return tuple(changed)


def kept(live: Routes, wanted: Routes, tag: str, lanes: frozenset[str]) -> tuple[Route, ...]:
    """Wanted's routes, with live's of lanes that end: they go on until no request is under way in them.

    They stand before the routes of untagged requests. As live has it already, where only they make the difference.
    """
    ending = [route for route in live if _ends(route, tag, lanes)]
    if [route for route in live if route not in ending] == list(wanted):
        return tuple(live)
    first = next((number for number, route in enumerate(wanted) if lane_of(route, tag) is None), len(wanted))
    return (*wanted[:first], *ending, *wanted[first:])


def _ends(route: Route, tag: str, lanes: frozenset[str]) -> bool:
    """Is this a route of a lane that ends, or of a generation that a change left behind when it was cut off?"""
    lane = lane_of(route, tag)
    return lane not in lanes if lane is not None else is_of_generation(route, tag)


def _plain(table: RouteTable | None) -> RouteTable:
    assert table is not None  # of two tables, one is there
    return plain(table)


def plain(table: RouteTable) -> RouteTable:
    """What a service without a VirtualService does, as one: requests go to all of its Pods."""
    ports = (one.port for route in table.routes for one in route.targets if one.port and one.host in table.hosts)
    target = Target(table.host, next(ports, None))
    return replace(table, routes=(Route(RouteId(RouteKind.DEFAULT), (), (target,)),))
