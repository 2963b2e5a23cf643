"""The flow of an adoption: the group's resources take the place of others', which route the same hosts by then.

Istio uses one VirtualService of a mesh host, the oldest, and merges those of a Gateway's host. So in the mesh, new
routes are in force once the old ones are deleted, in the same step. At a Gateway both stand side by side for a moment.
A DestinationRule takes another's place last, in one step. Where the old one lacks a subset, the new one stands beside
it from the first step on, because istiod merges the subsets of both.
The same flow leads back: `graylane rollback` writes the originals beside the group's resources and deletes these.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from meshconfig.cluster.plan.depth import leaf_first
from meshconfig.cluster.plan.flow import Flow, gone
from meshconfig.cluster.plan.steps import Draft, Wait
from meshconfig.cluster.plan.subsets import new_subsets, union
from meshconfig.istio import MESH, fqdn
from meshconfig.model import RouteTable, SubsetTable


def adoption(flow: Flow) -> Iterator[Draft]:
    """The drafts of an adoption.

    A VirtualService that serves both the mesh and a Gateway goes after the entries, which take its hosts at the
    Gateway. The group's routes for its mesh hosts are written in that step too: before it, they would be the younger.
    """
    before, after = flow.before, flow.after
    both = [one for one in before.mesh.values() if set(one.gateways) - {MESH}]
    hosts, names = {host for one in both for host in _hosts(one)}, {one.name for one in both}
    late = [one for one in after.mesh.values() if one.name in names or hosts & set(_hosts(one))]
    early = [one for one in after.mesh.values() if one not in late]
    leaving = gone(before.mesh, after.mesh)
    subsets = {name: one for name, one in union(before, after).items() if not _is_there(one, flow)}
    yield flow.consumers()
    yield flow.outside()
    yield Draft(
        "adopt: subsets that are not there yet",
        "a subset has to be there, with ready Pods, before a route leads to it",
        waves=((*after.autoscalers.values(), *subsets.values()),),
        new_subsets=new_subsets(before, after.route_tables, flow.with_pods(subsets)),
    )
    yield Draft(
        "adopt: routes between services in the place of others",
        "sidecars use the oldest VirtualService of a host, so the old ones go in the same step",
        waves=leaf_first(early, flow.depth),
        deletes=tuple(one for one in leaving if one.name not in names),
        after=max(Wait.BARRIER, flow.known),
        alters=True,
    )
    yield flow.entries(
        "adopt: entries in the place of others",
        "gateways merge the VirtualServices of one host, so no request is without a route",
        after.entries.values(),
    )
    yield Draft(
        "adopt: routes between services in the place of those that served a Gateway too",
        "entries have taken what they did at the Gateway",
        waves=leaf_first(late, flow.depth),
        deletes=tuple(one for one in leaving if one.name in names),
        after=Wait.BARRIER,
        alters=True,
    )
    yield from flow.last_outside()
    subsets_last, *others = flow.last_inside()
    yield replace(
        subsets_last,
        title="adopt: subsets in the place of others",
        why="routes lead to subsets of the same names and Pods",
        barrier=True,
    )
    yield from others


def _is_there(table: SubsetTable, flow: Flow) -> bool:
    """Whether a subset table that leaves has all subsets of a new one, so that the new one need not come first."""
    if table.name in flow.before.subsets:
        return False
    leaving = [one for one in gone(flow.before.subsets, flow.after.subsets) if _host(one) == _host(table)]
    found = {(subset.name, subset.labels) for one in leaving for subset in one.subsets}
    return bool(leaving) and all((subset.name, subset.labels) in found for subset in table.subsets)


def _host(table: SubsetTable) -> str:
    return fqdn(table.host, table.name.namespace).lower()


def _hosts(table: RouteTable) -> Iterable[str]:
    return (fqdn(host, table.name.namespace).lower() for host in table.hosts)
