"""The direct flow: add, mesh, entries, mesh, prune. What leads somewhere changes after what it leads to."""

from collections.abc import Collection, Iterator

from meshconfig.cluster.plan.depth import leaf_first
from meshconfig.cluster.plan.difference import kept
from meshconfig.cluster.plan.flow import Flow, gone
from meshconfig.cluster.plan.parts import http, with_http
from meshconfig.cluster.plan.steps import Draft, Wait
from meshconfig.cluster.plan.subsets import new_subsets, union


def _why(changed: Collection[str]) -> str:
    if not changed:
        return "entries lead to them next"
    return "one service alone changes its meaning" if len(changed) == 1 else "each service changes by itself"


def direct(flow: Flow, *, fast: bool) -> Iterator[Draft]:
    """The steps of a change in which no request can meet both, or in which it may (`fast`)."""
    before, after, difference = flow.before, flow.after, flow.difference
    leaving = gone(before.mesh, after.mesh)
    moving = difference.redefined.moving
    if not after.entries:
        yield flow.entries("entries: they go", "nothing shall come in from outside", ())
    rules = union(before, after, difference.redefined.leaving)
    yield Draft(
        "subsets: the new ones beside the old",
        "a subset has to be there, with ready Pods, before a route leads to it",
        waves=((*flow.autoscalers, *rules.values()),),
        new_subsets=new_subsets(before, after.virtual_services, rules, moving),
    )
    yield Draft(
        "between services: the new routes, those of lanes that end beside them",
        _why(difference.meanings),
        waves=leaf_first(
            (
                with_http(one, kept(http(before.mesh.get(name)), http(one), difference.tag, difference.lanes))
                for name, one in after.mesh.items()
            ),
            flow.depth,
        ),
        # Before the entries: a new one must find plain what will be plain.
        deletes=leaving,
        after=Wait.DRAIN if leaving or (difference.meanings and before.mesh and not fast) else Wait.NOTHING,
        alters=bool(difference.meanings),
    )
    yield flow.entries("entries: as wanted", "everything that they lead to is there", after.entries.values())
    yield Draft(
        "between services: the routes of ended lanes go",
        "no entry leads into them, and nobody is under way in them",
        waves=leaf_first(after.mesh.values(), flow.depth),
        after=Wait.DRAIN,
    )
    yield from flow.last()
