"""What a change means to requests: which lanes meet something else, and in which services."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from meshconfig.cluster.objects import Key, Manifest
from meshconfig.cluster.plan.generation import is_of_generation
from meshconfig.cluster.plan.parts import Http, Parts, host, http, spec
from meshconfig.cluster.plan.subsets import Redefined, ports, redefined
from meshconfig.cluster.plan.tags import Tag, asks_baggage, exact_values, lane_of, meaning, set_values


@dataclass(frozen=True, slots=True)
class Difference:
    """From live to wanted.

    Parameters:
        meanings: for each host that some service may call, the lanes known before that meet something else there;
            None is the untagged. A service that joins or leaves the group counts.
        entries: entries that were there and lead elsewhere or go.
        lanes: those that wanted knows.
        enters: something comes in through entries, before and after.
        baggage: W3C baggage alone puts a request into a lane, before or after.
        calls_known: which hosts are called was given; else each may be.
    """

    live: Parts
    wanted: Parts
    tag: str
    meanings: Mapping[str, tuple[Tag, ...]]
    entries: tuple[Key, ...]
    lanes: frozenset[str]
    enters: bool
    baggage: bool
    calls_known: bool
    redefined: Redefined = field(default_factory=Redefined)


def difference(live: Parts, wanted: Parts, tag: str, called: frozenset[str] | None) -> Difference:
    """
    Parameters:
        called: the hosts that wanted's services call; a service that leaves the group may be called by any.
    """
    before, after = lanes(live, tag), lanes(wanted, tag)
    meanings: dict[str, tuple[Tag, ...]] = {}
    for name in {**live.mesh, **wanted.mesh}:
        old, new = live.mesh.get(name), wanted.mesh.get(name)
        one = host(new or old or {})
        if called is not None and new and one not in called:
            continue
        if changed := _changed(old, new, tag, before, after):
            meanings[one] = changed
    every = [one for parts in (live, wanted) for one in parts.virtual_services]
    return Difference(
        live,
        wanted,
        tag,
        meanings,
        tuple(name for name, one in live.entries.items() if spec(one) != spec(wanted.entries.get(name, {}))),
        after,
        bool(live.entries and wanted.entries),
        any(asks_baggage(http(one), tag) for one in every),
        called is not None,
        redefined(live, wanted),
    )


def lanes(parts: Parts, tag: str) -> frozenset[str]:
    """The tags that routes ask for or entries set; a generation's (`gray.next`) are among them."""
    asked = (value for one in parts.virtual_services for value in exact_values(http(one), tag))
    given = (value for one in parts.entries.values() for value in set_values(http(one), tag))
    return frozenset((*asked, *given))


def _changed(
    old: Manifest | None, new: Manifest | None, tag: str, before: frozenset[str], after: frozenset[str]
) -> tuple[Tag, ...]:
    one, other = old or plain(new), new or plain(old)
    if http(one) == http(other):
        return ()
    between = kept(http(one), http(other), tag, after) if new else http(one)
    changed: list[Tag] = []
    for lane in (None, *sorted(before)):
        then = http(other) if lane is None or lane in after else between
        if meaning(http(one), tag, lane) != meaning(then, tag, lane):
            changed.append(lane)
    return tuple(changed)


def kept(live: Http, wanted: Http, tag: str, lanes: frozenset[str]) -> Http:
    """Wanted's routes, with live's of lanes that end: they go on until nobody is under way in them.

    They stand before the routes of the untagged. As live has it already, where only they make the difference.
    """
    ending = [route for route in live if _ends(route, tag, lanes)]
    if [route for route in live if route not in ending] == wanted:
        return live
    first = next((number for number, route in enumerate(wanted) if lane_of(route, tag) is None), len(wanted))
    return [*wanted[:first], *ending, *wanted[first:]]


def _ends(route: dict[str, object], tag: str, lanes: frozenset[str]) -> bool:
    """Is this a route of a lane that ends, or of a generation that a change left behind when it was cut off?"""
    lane = lane_of(route, tag)
    return lane not in lanes if lane is not None else is_of_generation(route, tag)


def plain(virtual_service: Manifest | None) -> Manifest:
    """What a service without a VirtualService does, as one: requests go to all of its Pods."""
    manifest = virtual_service or {}
    destination: dict[str, object] = {"host": host(manifest)}
    if port := ports(manifest):
        destination["port"] = {"number": port}
    route = {"name": "plain", "route": [{"destination": destination}]}
    return {**manifest, "spec": {**spec(manifest), "http": [route]}}
