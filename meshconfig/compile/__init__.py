"""Compiles a spec to the model, which says where each request goes. Pure; docs/compile.md has the rules."""

from collections.abc import Sequence

from meshconfig.compile.check import newer_problems, problems
from meshconfig.compile.entries import entry
from meshconfig.compile.names import entry_resources, lane_host_resources
from meshconfig.compile.services import service
from meshconfig.errors import InputError, Location, Problem, dotted
from meshconfig.model import Consumer, Model
from meshconfig.spec import ConsumerInGroup, LaneGroup
from meshconfig.spec.base import Locate

__all__ = ["compile_group", "newer_problems", "problems"]


def compile_group(group: LaneGroup, locate: Locate | None = None, *, stored: bool = False) -> Model:
    """Compiles one group's spec.

    Parameters:
        group: the validated spec.
        locate: returns the file and line of a field; without it, a problem names the group instead of a file.
        stored: the spec was applied once, and is judged by the rules that held then.

    Raises:
        InputError: the spec refers to a name that does not exist, or asks for something that Istio cannot express.
            Each problem has its place, field and reason.
    """
    where = locate or _named(group)
    if found := [Problem(where(path), dotted(path), message) for path, message in problems(group, stored=stored)]:
        raise InputError(sorted(set(found)))
    services = {name: group.service(name) for name in sorted(group.spec.services)}
    names = lane_host_resources(group)
    return Model(
        group=group.metadata.name,
        namespace=group.metadata.namespace,
        tag=group.spec.tag.header,
        baseline=group.spec.tag.default,
        services=tuple(map(service, services.values())),
        entries=tuple(entry(group, index, name, services, names) for index, name in enumerate(entry_resources(group))),
        baggage=group.spec.tag.baggage,
        consumers=tuple(map(_consumer, map(group.consumer, sorted(group.spec.consumers)))),
        backend=group.spec.backend,
        locate=where,
    )


def _consumer(one: ConsumerInGroup) -> Consumer:
    return Consumer(one.name, one.spec.kind, one.spec.topic, tuple(one.names()))


def _named(group: LaneGroup) -> Locate:
    place = Location(f"LaneGroup {group.metadata.namespace}/{group.metadata.name}")

    def locate(path: Sequence[str | int]) -> Location:
        return place

    return locate
