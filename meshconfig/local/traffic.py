"""The requests of a local mesh as calls of one group: its Envoy logs each hop with who answered."""

from collections.abc import Iterator

from meshconfig.carry import UNTAGGED, Workload
from meshconfig.carry.lanes import lane_of
from meshconfig.local.trace import Hop, RequestTrace
from meshconfig.spec import LaneGroup
from meshconfig.traffic import Call, failed


def calls(group: LaneGroup, trace: RequestTrace, time: float) -> Iterator[Call]:
    """The calls of a request, those to the group's services alone.

    Parameters:
        time: when it ended, in seconds of any one clock.
    """
    for hop in trace.roots:
        yield from _calls(group, None, UNTAGGED, hop, time)


def _calls(group: LaneGroup, caller: Workload | None, of: str, hop: Hop, time: float) -> Iterator[Call]:
    """The calls below and at a hop.

    Parameters:
        of: the lane of the request that it was made for.
    """
    callee, lane = None, lane_of(hop.tags.get(group.spec.tag.header, ""), group.spec.lanes)
    if service := group.spec.services.get(hop.service):
        callee = Workload(hop.service, hop.version)
        lane = of if service.external else lane  # the tag does not leave the mesh
        yield Call(time, caller, callee, lane, failed(str(hop.status)), hop.milliseconds, complete=True)
    for below in hop.calls:
        yield from _calls(group, callee, lane, below, time)
