"""The consistent change: the new routes stand beside the old ones for a while, under tags of their own generation.

Source: the two-phase updates of Reitblatt et al., "Abstractions for Network Update", SIGCOMM 2012.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from meshconfig.cluster.plan.depth import leaf_first
from meshconfig.cluster.plan.flow import Flow, gone
from meshconfig.cluster.plan.generation import Generation, next_generation
from meshconfig.cluster.plan.routing_change import plain
from meshconfig.cluster.plan.steps import Draft, Wait
from meshconfig.cluster.plan.subsets import SubsetName, new_subsets, temporary, union
from meshconfig.compile.check import LONGEST_TAG
from meshconfig.model import Name, RouteTable


def consistent(flow: Flow) -> Iterator[Draft]:
    """The drafts of a change by tag generation. No request that comes in at an entry meets both old and new routes."""
    before, after, moved = flow.before, flow.after, flow.change.redefined
    name = next_generation(before, flow.change.tag)
    names = temporary(moved.moving, before, after, name)
    generation = _generation(flow, name, names)
    subsets = union(before, after, moved.moving | moved.leaving, names)
    beside = _beside(flow, generation)
    new = {place: replace(one, routes=(*generation.mesh(one), *one.routes)) for place, one in after.mesh.items()}
    entering = [generation.entry(one) for one in after.entries.values()]

    yield flow.consumers()
    yield flow.outside()
    yield Draft(
        "subsets: the new ones beside the old",
        "a subset has to be there, with ready Pods, before a route leads to it",
        waves=((*after.autoscalers.values(), *subsets.values(), *flow.grants(names)),),
        new_subsets=new_subsets(before, [*new.values(), *entering], flow.with_pods(subsets)),
    )
    yield Draft(
        f"between services: the new routes beside the old, for tags that end in .{name}",
        "nobody carries such a tag yet",
        waves=leaf_first(beside.values(), flow.depth),
        after=flow.known,
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
        waves=leaf_first(new.values(), flow.depth),
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


def why_too_long(flow: Flow) -> tuple[str, ...]:
    """Why tags of a generation would not arrive; empty if they fit. Specs of earlier versions may have such lanes."""
    generation = _generation(flow, next_generation(flow.before, flow.change.tag), {})
    tags = (*map(generation.of, sorted(flow.change.lanes)), generation.untagged)
    long = (tag for tag in tags if len(tag) > LONGEST_TAG)
    return tuple(f"services drop the tag {tag}, which has over {LONGEST_TAG} characters" for tag in long)


def _generation(flow: Flow, name: str, names: Mapping[SubsetName, str]) -> Generation:
    return Generation(name, flow.change.tag, flow.baseline, flow.change.lanes, names, in_baggage=flow.change.baggage)


def _beside(flow: Flow, generation: Generation) -> Mapping[Name, RouteTable]:
    """Each service's new routes for the generation's tags, before its old routes for all other requests."""
    before, after = flow.before.mesh, flow.after.mesh
    tables = {
        place: replace(one, routes=(*generation.mesh(one), *(before.get(place) or plain(one)).routes))
        for place, one in after.items()
    }
    for one in gone(before, after):
        tables[one.name] = replace(one, routes=(*generation.mesh(plain(one)), *one.routes))
    return tables
