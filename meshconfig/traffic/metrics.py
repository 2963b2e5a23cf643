"""Flows from Istio's metrics in Prometheus, with the label `lane` that `graylane render --telemetry` adds.

The calls between the group's versions are counted where they are made, and requests from outside where they arrive: the
gateways' own series have no lane, because the Telemetry is in the group's namespaces alone.
Source: Istio, "Istio Standard Metrics". `istio_request_duration_milliseconds` has no label `lane`, so that its series
do not multiply: a p95 is then one of the edge, for all lanes.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from meshconfig.carry import Workload
from meshconfig.carry.access_log import hosts_outside
from meshconfig.carry.metrics import Series, Workloads, lane_of_series, workload_of
from meshconfig.duration import written
from meshconfig.render.telemetry import LABEL
from meshconfig.spec import LaneGroup
from meshconfig.traffic.flow import Flow, in_order

_BY = (
    "source_workload_namespace, source_workload, destination_workload_namespace, destination_workload, "
    f"destination_service, {LABEL}"
)
Edge = tuple[Workload | None, Workload, str]


@dataclass(frozen=True, slots=True)
class Queries:
    """Three queries in PromQL about the requests seen at one side."""

    requests: str
    failed: str
    p95: str


def queries(group: LaneGroup, seconds: float) -> dict[str, Queries]:
    """The queries by the side, `source` or `destination`, that reports the requests.

    Parameters:
        seconds: the time up to now over which rates are taken; four scrapes or more.
    """
    places = "|".join(sorted({service.namespace for service in group.inside()}))
    return {side: _queries(side, places, written(seconds)) for side in ("source", "destination")}


def _queries(side: str, places: str, window: str) -> Queries:
    mine = f'reporter="{side}",{side}_workload_namespace=~"{places}"'

    def rate(name: str, by: str, more: str = "") -> str:
        return f"sum by ({by}) (rate({name}{{{mine}{more}}}[{window}]))"

    times = rate("istio_request_duration_milliseconds_bucket", f"le, {_BY}")
    return Queries(
        rate("istio_requests_total", _BY),
        rate("istio_requests_total", _BY, ',response_code=~"5..|0"'),
        f"histogram_quantile(0.95, {times})",
    )


@dataclass(frozen=True, slots=True)
class Answers:
    """What the three queries of one side gave."""

    requests: Series
    failed: Series
    p95: Series


def flows(group: LaneGroup, workloads: Workloads, answers: Mapping[str, Answers]) -> list[Flow]:
    """The flows that the answers to `queries` tell of.

    Parameters:
        workloads: the versions by namespace and name of their workload.
    """
    read = _Reader(group, workloads)
    found = [flow for side, one in answers.items() for flow in read.flows(side, one)]
    return in_order(found)


class _Reader:
    def __init__(self, group: LaneGroup, workloads: Workloads) -> None:
        self._group, self._workloads = group, workloads
        self._hosts = {service.host: service.name for service in group.inside()}
        self._outside = hosts_outside(group)

    def flows(self, side: str, answers: Answers) -> Iterator[Flow]:
        failed = _summed(self._edges(side, answers.failed))
        p95 = dict(self._edges(side, answers.p95))
        alike = {(caller, callee): value for (caller, callee, _), value in p95.items()}
        for edge, rate in _summed(self._edges(side, answers.requests)).items():
            caller, callee, lane = edge
            if rate > 0:
                errors = min(1.0, failed.get(edge, 0.0) / rate)
                yield Flow(caller, callee, lane, rate, errors, p95.get(edge, alike.get((caller, callee))))

    def _edges(self, side: str, series: Series) -> Iterator[tuple[Edge, float]]:
        for labels, value in series:
            if value == value and (edge := self._edge(side, labels)):  # NaN: nothing was counted
                yield edge, value

    def _edge(self, side: str, labels: Mapping[str, str]) -> Edge | None:
        """The edge of a series; None for one that the other side reports, and for edges of others."""
        caller = workload_of(self._workloads, labels, "source")
        lane = lane_of_series(self._group, labels)
        if side == "destination":
            callee = workload_of(self._workloads, labels, "destination")
            return (None, callee, lane) if callee and caller is None else None
        callee = self._callee(labels)
        return (caller, callee, lane) if caller and callee else None

    def _callee(self, labels: Mapping[str, str]) -> Workload | None:
        host = labels.get("destination_service", "")
        if (service := self._hosts.get(host)) is None:
            return self._outside.get(host)
        found = workload_of(self._workloads, labels, "destination")
        return found if found and found.service == service else Workload(service, "")


def _summed(edges: Iterable[tuple[Edge, float]]) -> dict[Edge, float]:
    found: dict[Edge, float] = {}
    for edge, value in edges:
        found[edge] = found.get(edge, 0.0) + value
    return found
