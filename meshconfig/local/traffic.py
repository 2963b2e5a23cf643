"""The requests of a local mesh as calls and records of one group: its Envoy logs each hop with who answered."""

from collections.abc import Iterator

from meshconfig.carry import UNTAGGED, Workload
from meshconfig.carry.access_log import Record
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
    callee, lane = None, _lane(group, hop)
    if service := group.spec.services.get(hop.service):
        callee = Workload(hop.service, hop.version)
        lane = of if service.external else lane  # the tag does not leave the mesh
        yield Call(time, caller, callee, lane, failed(str(hop.status)), hop.milliseconds, complete=True)
    for below in hop.calls:
        yield from _calls(group, callee, lane, below, time)


def records(group: LaneGroup, trace: RequestTrace, time: float, request_id: str) -> Iterator[Record]:
    """The hops of a request as sidecars would have logged them, to judge carry rates by: calls to the group's services
    in the mesh.

    Parameters:
        request_id: of this request alone.
    """
    for hop in trace.roots:
        yield from _records(group, hop, time, request_id)


def _records(group: LaneGroup, hop: Hop, time: float, request_id: str) -> Iterator[Record]:
    workload = _inside(group, hop)
    if workload is not None:
        pod = f"{group.metadata.namespace}/{workload.service}-{workload.version}"
        yield Record(time, pod, workload, None, _lane(group, hop), request_id, code=str(hop.status))
        for below in hop.calls:
            # Of a call that one of several may have made, it is not known who lost its tag.
            if (callee := _inside(group, below)) is not None and not below.callers:
                yield Record(
                    time, pod, workload, callee, _lane(group, below), request_id, below.path, str(below.status)
                )
    for below in hop.calls:
        yield from _records(group, below, time, request_id)


def _inside(group: LaneGroup, hop: Hop) -> Workload | None:
    service = group.spec.services.get(hop.service)
    return Workload(hop.service, hop.version) if service and not service.external else None


def _lane(group: LaneGroup, hop: Hop) -> str:
    return lane_of(hop.tags.get(group.spec.tag.header, ""), group.spec.lanes)
