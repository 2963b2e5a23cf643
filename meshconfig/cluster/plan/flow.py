"""What the direct flow and the consistent change share."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from meshconfig.cluster.plan.routing_change import RoutingChange
from meshconfig.cluster.plan.steps import Draft, Wait
from meshconfig.cluster.plan.subsets import SubsetName
from meshconfig.model import Grant, Name, RouteTable, RoutingState, SubsetTable, Table

T = TypeVar("T", bound=Table)


@dataclass(frozen=True, slots=True)
class Flow:
    """A change to plan.

    Parameters:
        baseline: the lane of requests without a tag.
        depth: the depth of each host in the calls between services; 0 for a host that calls nothing.
    """

    change: RoutingChange
    baseline: str
    depth: Mapping[str, int]

    @property
    def before(self) -> RoutingState:
        return self.change.live

    @property
    def after(self) -> RoutingState:
        return self.change.wanted

    def consumers(self) -> Draft:
        """The draft that writes the list of who consumes messages. Proxies do not get it."""
        return Draft(
            "the list of who consumes messages",
            "consumers read the list while they run",
            waves=(tuple(self.after.rosters.values()),),
            barrier=False,
        )

    def outside(self) -> Draft:
        """The draft that makes hosts outside the mesh known, before a route leads there.

        The DestinationRule comes first: without its TLS, requests to a host that callers use already would fail.
        """
        hosts = self.after.outside
        return Draft(
            "hosts outside the mesh: their TLS and addresses",
            "proxies have to know them before a route leads there",
            waves=(
                tuple(table for name, table in self.after.subsets.items() if name in hosts),
                tuple(hosts.values()),
                tuple(self.after.egress.values()),
            ),
            alters=self.known is Wait.DRAIN,
        )

    @property
    def known(self) -> Wait:
        """What must have happened before routes lead to hosts outside: of new ones, proxies look up the addresses."""
        return Wait.DRAIN if self.after.outside.keys() - self.before.outside.keys() else Wait.NOTHING

    def with_pods(self, subsets: Mapping[Name, SubsetTable]) -> Mapping[Name, SubsetTable]:
        """The subset tables without those of hosts outside the mesh."""
        return {name: table for name, table in subsets.items() if name not in self.after.outside}

    def grants(self, names: Mapping[SubsetName, str] | None = None) -> Iterator[Grant]:
        """The wanted leaves for entries to lead to other namespaces, with all that the old and the new routes lead to.

        Parameters:
            names: temporary names of subsets, to which routes lead meanwhile.
        """
        for place, wanted in self.after.grants.items():
            live = self.before.grants.get(place)
            moved = ((host, (names or {}).get((host.lower(), subset), subset)) for host, subset in wanted.services)
            several = {*wanted.services, *moved, *(live.services if live else ())}
            # Without any, it is for every Service of the namespace.
            every = not wanted.services or (live is not None and not live.services)
            services = () if every else tuple(sorted(several))
            yield live if live and live.services == services else replace(wanted, services=services)

    def entries(self, title: str, why: str, tables: Iterable[RouteTable]) -> Draft:
        """The draft that changes entries, and removes those that are not wanted: a Gateway after its VirtualService."""
        return Draft(
            title,
            why,
            waves=(tuple(self.after.gateways.values()), *_no_host_without(self.before.entries, tables)),
            deletes=(*gone(self.before.entries, self.after.entries), *gone(self.before.gateways, self.after.gateways)),
            after=Wait.BARRIER,
            alters=True,
        )

    def last_outside(self) -> tuple[Draft, ...]:
        """The drafts that forget hosts outside the mesh. The TLS of a host goes last, as it came first."""
        left = gone(self.before.outside, self.after.outside)
        names = {one.name for one in left}
        return (
            Draft(
                "hosts outside the mesh that are left over go",
                "no route leads there any more, and no request is under way",
                deletes=(*gone(self.before.egress, self.after.egress), *left),
                after=Wait.DRAIN,
            ),
            Draft(
                "the TLS of these hosts goes",
                "no proxy knows them any more",
                deletes=tuple(one for one in gone(self.before.subsets, self.after.subsets) if one.name in names),
                after=Wait.BARRIER,
                barrier=False,
            ),
        )

    def last(self) -> tuple[Draft, ...]:
        """The last drafts: they remove what no route leads to any more."""
        return (*self.last_outside(), *self.last_inside())

    def last_inside(self) -> tuple[Draft, ...]:
        """The drafts that remove what is left over of the group itself: subsets, autoscalers, and the roster."""
        return (
            Draft(
                "subsets: what is left over goes",
                "no route leads there any more",
                waves=((*self.after.subsets.values(), *self.after.grants.values()),),
                deletes=(
                    *gone(self.before.subsets, self.after.subsets),
                    *gone(self.before.grants, self.after.grants),
                ),
                after=Wait.BARRIER,
                barrier=False,
            ),
            Draft(
                "autoscalers that are left over go",
                "their versions get no requests any more",
                deletes=gone(self.before.autoscalers, self.after.autoscalers),
                barrier=False,
            ),
            Draft(
                "the list of who consumes messages goes",
                "the group has no consumers any more",
                deletes=gone(self.before.rosters, self.after.rosters),
                barrier=False,
            ),
        )


def _no_host_without(
    before: Mapping[Name, RouteTable], tables: Iterable[RouteTable]
) -> Iterator[tuple[RouteTable, ...]]:
    """Waves of tables: one that takes a host over from another comes before this one.

    In between, a gateway has the routes of both for the host, and of each request the old or the new ones decide. Where
    tables exchange hosts there is no such order; they are written together.
    """
    left = {one.name: one for one in tables}
    while left:
        takes = {host: name for name, one in left.items() for host in one.hosts}
        ready = [
            name
            for name in left
            if name not in before or all(takes.get(host, name) == name for host in before[name].hosts)
        ]
        yield tuple(left.pop(name) for name in ready or list(left))


def gone(before: Mapping[Name, T], after: Mapping[Name, T]) -> tuple[T, ...]:
    """The tables of `before` that are not in `after`."""
    return tuple(table for name, table in before.items() if name not in after)
