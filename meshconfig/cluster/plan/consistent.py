"""The consistent change: the new routes stand beside the old under tags of a generation of their own.

From the two-phase updates of Reitblatt et al., "Abstractions for Network Update", SIGCOMM 2012.
"""

from collections.abc import Iterator

from meshconfig.cluster.objects import Key, Manifest
from meshconfig.cluster.plan.depth import leaf_first
from meshconfig.cluster.plan.difference import plain
from meshconfig.cluster.plan.flow import Flow, gone
from meshconfig.cluster.plan.generation import Generation, next_generation
from meshconfig.cluster.plan.parts import http, with_http
from meshconfig.cluster.plan.steps import Draft, Wait
from meshconfig.cluster.plan.subsets import new_subsets, temporary, union


def consistent(flow: Flow) -> Iterator[Draft]:
    """The steps of a change by tag generation; no chain that comes in at an entry meets both."""
    before, after, moved = flow.before, flow.after, flow.difference.redefined
    name = next_generation(before)
    names = temporary(moved.moving, before, after, name)
    generation = Generation(name, flow.difference.tag, flow.baseline, flow.difference.lanes, names)
    rules = union(before, after, moved.moving | moved.leaving, names)
    beside = {
        key: [*generation.mesh(one), *http(before.mesh.get(key) or plain(one))] for key, one in after.mesh.items()
    }
    for key in gone(before.mesh, after.mesh):
        beside[key] = [*generation.mesh(plain(before.mesh[key])), *http(before.mesh[key])]
    new = {key: [*generation.mesh(one), *http(one)] for key, one in after.mesh.items()}
    entering = [generation.entry(one) for one in after.entries.values()]

    yield Draft(
        "subsets: the new ones beside the old",
        "a subset has to be there, with ready Pods, before a route leads to it",
        waves=((*flow.autoscalers, *rules.values()),),
        new_subsets=new_subsets(before, [*(with_http(after.mesh[key], new[key]) for key in new), *entering], rules),
    )
    yield Draft(
        f"between services: the new routes beside the old, for tags that end in .{name}",
        "nobody carries such a tag yet",
        waves=_mesh(flow, beside),
    )
    yield flow.entries(
        f"entries: who comes in gets a tag that ends in .{name}",
        "from here on the new routes, and only these",
        entering,
    )
    yield Draft(
        "subsets: those that get other Pods",
        f"until now their new Pods were under a name that ends in -{name}",
        waves=(tuple(union(before, after, moved.leaving, names).values()),),
        after=Wait.DRAIN,
    )
    yield Draft(
        "between services: the new routes for the plain tags too",
        "nobody carries a plain tag now",
        waves=_mesh(flow, new),
        deletes=gone(before.mesh, after.mesh),
        after=Wait.DRAIN,
    )
    yield flow.entries("entries: the plain tags again", "both kinds of tags mean the same now", after.entries.values())
    yield Draft(
        f"between services: the routes for .{name} go",
        "nobody carries such a tag any more",
        waves=leaf_first(after.mesh.values(), flow.depth),
        after=Wait.DRAIN,
    )
    yield from flow.last()


def _mesh(flow: Flow, routes: dict[Key, list[dict[str, object]]]) -> tuple[tuple[Manifest, ...], ...]:
    manifests = (with_http(flow.after.mesh.get(key) or flow.before.mesh[key], http) for key, http in routes.items())
    return leaf_first(manifests, flow.depth)
