"""What a tag says, and which versions the routes give to the requests of one lane alone."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from meshconfig.backend.istio.route_names import GENERATION
from meshconfig.baggage import key_of, members, value_of
from meshconfig.spec import LaneGroup, ServiceInGroup

# In the place of a lane's name, which has no parentheses.
UNTAGGED = "(none)"
OTHER = "(other)"  # a tag, but no lane's


class Workload(NamedTuple):
    """One version of a service of the group. An empty version is one that is not known."""

    service: str
    version: str

    def __str__(self) -> str:
        return f"{self.service}/{self.version}" if self.version else self.service


def lane_of(tag: str, lanes: Collection[str]) -> str:
    """The lane of a tag's value, which may have a generation (`gray.next`); UNTAGGED for an empty one."""
    if not tag:
        return UNTAGGED
    name, dot, generation = tag.partition(".")
    is_lane = name in lanes and (not dot or GENERATION.fullmatch(generation))
    return name if is_lane else OTHER


def tag_in_baggage(header: str, baggage: str) -> str:
    """The value of the tag's member of W3C baggage; empty where there is none."""
    found = (value_of(one) for one in members([baggage]) if key_of(one).lower() == header)
    return next(found, "")


def sole_lanes(group: LaneGroup) -> dict[Workload, str]:
    """The versions that the routes give to one lane's requests and to no others, each with this lane."""
    return {Workload(service.name, version): lane for service in group.inside() for version, lane in _sole(service)}


def _sole(service: ServiceInGroup) -> Iterator[tuple[str, str]]:
    shared = {*_reached_untagged(service)}
    for version in service.spec.versions:
        own = [lane for lane, _ in service.lanes if service.version_in(lane) == version]
        if len(own) == 1 and version not in shared:
            yield version, own[0]


def _reached_untagged(service: ServiceInGroup) -> Iterator[str]:
    """The versions of requests that no lane's route takes, and of copies."""
    if service.baseline:
        yield service.baseline
    for weights in (service.spec.weights or {}, *(rule.weights for rule in service.spec.rules)):
        yield from weights
    if service.spec.mirror:
        yield service.spec.mirror.version
