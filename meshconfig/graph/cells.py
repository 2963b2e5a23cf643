"""What a diagram shows: the version that each lane gets of each service and consumer, and how requests enter lanes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from meshconfig.compile.sticky import lane_owners
from meshconfig.spec import ConsumerInGroup, Entry, LaneGroup, ServiceInGroup


@dataclass(frozen=True, slots=True)
class Cell:
    """What a lane gets at a service, or who consumes its messages.

    Parameters:
        service: the name of the service, or of the consumer.
        version: the version, or the versions that weights share, with their shares; empty for a refusal.
        own: the version is the lane's own; False for the baseline's.
        topic: of a consumer, what it consumes; empty for a service.
        outside: the host outside the mesh that answers; empty for a service in it.
    """

    lane: str
    service: str
    version: str
    own: bool
    topic: str = ""
    outside: str = ""

    @property
    def text(self) -> str:
        """The version, the shares of several, or 503."""
        return self.version or "503"


def cells(group: LaneGroup) -> list[list[Cell]]:
    """A row of cells for each lane: services, those that call others before those that they call, then consumers."""
    services = list(map(group.service, call_order(group)))
    consumers = list(map(group.consumer, group.spec.consumers))
    return [
        [*(_cell(lane, one) for one in services), *(_consumer(lane, one) for one in consumers)]
        for lane in group.spec.lanes
    ]


def call_order(group: LaneGroup) -> list[str]:
    """The names of the services, callers first. Services that call each other in a cycle stay in the spec's order."""
    services = group.spec.services
    order: list[str] = []
    ready = [name for name in services if not any(name in other.calls for other in services.values())]
    while len(order) < len(services):
        name = ready.pop(0) if ready else next(name for name in services if name not in order)
        order.append(name)
        callers = {
            called: [each for each in services if called in services[each].calls] for called in services[name].calls
        }
        ready += [
            called
            for called, by in callers.items()
            if called not in order and called not in ready and all(each in order for each in by)
        ]
    return order


def _cell(lane: str, service: ServiceInGroup) -> Cell:
    if service.refuses(lane):
        return Cell(lane, service.name, "", own=False)
    own = service.version_in(lane)
    version = own or service.baseline or ""
    outside = service.spec.versions[version].host or "" if version else ""
    # Weights are for untagged requests, and for those of a lane without a version here.
    shown = version if own or not service.spec.weights else shares(service.spec.weights)
    return Cell(lane, service.name, shown, own is not None, outside=outside)


def shares(weights: Mapping[str, int]) -> str:
    """Versions with their shares: `v1 70 %, v2 30 %`."""
    total = sum(weights.values())
    return ", ".join(f"{name} {_percent(weight / total)}" for name, weight in sorted(weights.items()) if weight)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _consumer(lane: str, consumer: ConsumerInGroup) -> Cell:
    version = consumer.version_in(lane)
    return Cell(lane, consumer.name, version or consumer.baseline, version is not None, consumer.spec.topic)


def ways_in(group: LaneGroup, entry: Entry) -> dict[str, str]:
    """How requests enter each lane at an entry: by its tag, by a rule, and the share of those that have neither."""
    tag = group.spec.tag
    split = {lane: share for lane, share in (entry.split or {tag.default: 1}).items() if share}
    if entry.sticky and entry.split:
        split = Counter(lane_owners(entry.sticky, entry.split, group))
    found: dict[str, list[str]] = {lane: [] for lane in group.spec.lanes}
    for lane, ways in found.items():
        if lane in split:
            ways.append(_percent(split[lane] / sum(split.values())))
        if any(admit.lane == lane for admit in entry.admit):
            ways.append("admit")
        if entry.tag == "trusted":
            ways.append("tag")
        ways += [way for way, offered in (("cookie", entry.cookie), ("host", entry.lane_hosts)) if offered]
    return {lane: ", ".join(ways) for lane, ways in found.items() if ways}


def hosts_of(entry: Entry) -> str:
    """An entry's first host, and how many others it has."""
    hosts: Sequence[str] = entry.hosts
    shown = hosts[0] if len(hosts[0]) <= 20 else f"{hosts[0][:19]}…"
    return shown if len(hosts) == 1 else f"{shown} +{len(hosts) - 1}"
