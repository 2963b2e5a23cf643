"""The direct flow: add subsets, change mesh routes, change entries, remove mesh routes, remove subsets.

A route changes after its destination exists, and a destination is removed after the routes to it.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace

from meshconfig.cluster.plan.depth import leaf_first
from meshconfig.cluster.plan.flow import Flow, gone
from meshconfig.cluster.plan.routing_change import kept
from meshconfig.cluster.plan.steps import Draft, Wait
from meshconfig.cluster.plan.subsets import new_subsets, union
from meshconfig.model import RouteTable


def _why(changed: Collection[str]) -> str:
    if not changed:
        return "entries lead to them next"
    return "only one service changes" if len(changed) == 1 else "each service changes by itself"


def direct(flow: Flow, *, fast: bool) -> Iterator[Draft]:
    """The drafts of a direct change.

    Parameters:
        fast: a request may meet both old and new routes, so no drain protects running requests before the change.
    """
    before, after, change = flow.before, flow.after, flow.change
    leaving = gone(before.mesh, after.mesh)
    moving = change.redefined.moving
    if not after.entries:
        yield flow.entries("entries: they go", "nothing shall come in from outside", ())
    subsets = union(before, after, change.redefined.leaving)
    yield flow.consumers()
    yield flow.outside()
    yield Draft(
        "subsets: the new ones beside the old",
        "a subset has to be there, with ready Pods, before a route leads to it",
        waves=((*after.autoscalers.values(), *subsets.values(), *flow.grants()),),
        new_subsets=new_subsets(before, after.route_tables, flow.with_pods(subsets), moving),
    )
    yield Draft(
        "between services: the new routes, those of lanes that end beside them",
        _why(change.meanings),
        waves=leaf_first((_with_ending(flow, table) for table in after.mesh.values()), flow.depth),
        # Services leave the group before entries change, so that a new entry never leads into routes that will go.
        deletes=leaving,
        after=Wait.DRAIN if leaving or (change.meanings and before.mesh and not fast) else flow.known,
        alters=bool(change.meanings),
    )
    yield flow.entries("entries: as wanted", "everything that they lead to is there", after.entries.values())
    yield Draft(
        "between services: the routes of ended lanes go",
        "no entry leads into them, and nobody is under way in them",
        waves=leaf_first(after.mesh.values(), flow.depth),
        after=Wait.DRAIN,
    )
    yield from flow.last()


def _with_ending(flow: Flow, table: RouteTable) -> RouteTable:
    live = flow.before.mesh.get(table.name)
    routes = kept(live.routes if live else (), table.routes, flow.change.tag, flow.change.lanes)
    return replace(table, routes=routes)
