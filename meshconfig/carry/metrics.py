"""Judges by `istio_requests_total` with the label `lane`, which `graylane render --telemetry` adds.

Metrics do not say for which request a call was made. So only versions that one lane's requests alone reach are judged.
Source: Istio, "Istio Standard Metrics".
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from meshconfig.carry.judge import by_lane, calls_by_callee, why_unknown
from meshconfig.carry.lanes import OTHER, UNTAGGED, Workload, sole_lanes
from meshconfig.carry.report import Edge, VersionCarry
from meshconfig.duration import written
from meshconfig.render.telemetry import LABEL
from meshconfig.render.telemetry import NONE as LABEL_NONE
from meshconfig.render.telemetry import OTHER as LABEL_OTHER
from meshconfig.spec import LaneGroup

UNKNOWN = "(unknown)"  # a series from before the label was there, or of which Envoy could not tell the lane
Series = Iterable[tuple[Mapping[str, str], float]]
Workloads = Mapping[tuple[str, str], Workload]


def queries(group: LaneGroup, seconds: float) -> tuple[str, str]:
    """Two queries: the requests that the group's Pods received, and those that they sent, in a time up to now."""
    places = "|".join(
        sorted({service.namespace for service in group.inside()})
    )  # a namespace has nothing that a regex reads
    of = {
        side: f'istio_requests_total{{reporter="{side}",{side}_workload_namespace=~"{places}"}}'
        for side in ("source", "destination")
    }
    window = written(seconds)
    received = _sum(of["destination"], window, "destination_workload_namespace", "destination_workload")
    called = _sum(
        *(of["source"], window, "source_workload_namespace", "source_workload"),
        *("destination_service", "destination_workload_namespace", "destination_workload"),
    )
    return received, called


def _sum(series: str, window: str, *by: str) -> str:
    """`increase` leaves out the first value of a series, which may be all of a rare one: a new series counts whole."""
    count = f"({series} unless {series} offset {window}) or increase({series}[{window}])"
    return f"sum by ({', '.join((*by, LABEL))}) ({count})"


def lacks_label(series: Series) -> bool:
    """Whether there are requests, and not one of them has the lane's label."""
    labelled = [bool(labels.get(LABEL)) for labels, _ in series]
    return bool(labelled) and not any(labelled)


def judge(group: LaneGroup, workloads: Workloads, received: Series, called: Series) -> list[VersionCarry]:
    """Judge what the two queries gave.

    Parameters:
        workloads: the versions by namespace and name of their workload.
    """
    requests: dict[Workload, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for labels, count in _counted(received):
        if workload := workload_of(workloads, labels, "destination"):
            requests[workload][lane_of_series(group, labels)] += count
    calls: dict[Workload, dict[tuple[Workload, str], float]] = defaultdict(lambda: defaultdict(float))
    hosts = {service.host: service.name for service in group.inside()}
    for labels, count in _counted(called):
        service = hosts.get(labels.get("destination_service", ""))
        if service and (workload := workload_of(workloads, labels, "source")):
            found = workload_of(workloads, labels, "destination")
            callee = found if found and found.service == service else Workload(service, "")
            calls[workload][callee, lane_of_series(group, labels)] += count
    sole = sole_lanes(group)
    return [_judged(one, sole.get(one), requests[one], calls[one]) for one in sorted({*requests, *calls})]


def _judged(
    workload: Workload, sole: str | None, requests: Mapping[str, float], calls: Mapping[tuple[Workload, str], float]
) -> VersionCarry:
    known = {key: count for key, count in calls.items() if key[1] != UNKNOWN}
    unknown = sum(calls.values()) - sum(known.values())
    if sole and set(requests) == {sole}:
        return by_lane(workload, sole, requests, known, calls, unjudged=unknown)
    edges = tuple(Edge(callee, lanes) for callee, lanes in calls_by_callee(calls))
    reason = why_unknown(requests, calls)
    return VersionCarry(workload, requests, edges, "", sum(calls.values()), reason)


def _counted(series: Series) -> Iterator[tuple[Mapping[str, str], float]]:
    """The series that counted a request; an empty one may be NaN."""
    return ((labels, count) for labels, count in series if count > 0)


def workload_of(workloads: Workloads, labels: Mapping[str, str], side: str) -> Workload | None:
    """The version that a series is about.

    Parameters:
        side: `source` or `destination`.
    """
    return workloads.get((labels.get(f"{side}_workload_namespace", ""), labels.get(f"{side}_workload", "")))


def lane_of_series(group: LaneGroup, labels: Mapping[str, str]) -> str:
    """The lane that a series' label names; `UNTAGGED`, `OTHER`, or `UNKNOWN` where it has none."""
    value = labels.get(LABEL, "")
    if value in group.spec.lanes:
        return value
    return {LABEL_NONE: UNTAGGED, LABEL_OTHER: OTHER}.get(value, UNKNOWN)
