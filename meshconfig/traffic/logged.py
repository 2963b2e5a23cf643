"""Flows from sidecars' access logs, of one group."""

from collections.abc import Mapping

from meshconfig.carry import AccessLog
from meshconfig.carry.access_log import Pods
from meshconfig.spec import LaneGroup
from meshconfig.traffic.flow import Flow, failed
from meshconfig.traffic.window import Call, TrafficWindow


class LoggedTraffic:
    """Reads records of access logs, and counts those of the group.

    Parameters:
        pods: finds the version of the group that a Pod is; None for a Pod of others.
        began: now, in seconds of the Unix epoch, which is the clock of the records.
    """

    def __init__(self, group: LaneGroup, pods: Pods, began: float) -> None:
        self._log = AccessLog(group, pods, outside=True)
        self._window = TrafficWindow(began)

    def add(self, attributes: Mapping[str, str], time: float, now: float) -> None:
        """Count a record, if it is one of the group."""
        if (one := self._log.read(attributes, time)) is not None:
            caller, callee = (one.workload, one.callee) if one.callee else (None, one.workload)
            call = Call(one.time, caller, callee, one.lane, failed(one.code), one.milliseconds)
            self._window.add(call, now)

    def flows(self, now: float) -> list[Flow]:
        return self._window.flows(now)
