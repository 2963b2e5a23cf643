"""Flows from Envoy's own metrics in Prometheus, where there is no `istio_requests_total`.

A proxy counts the requests that it sends by cluster, which is a port, a subset and a host: so caller, callee and codes
are known, and a request's tag is not. Only a version that the routes give to one lane alone tells the lane.

The label of a cluster's name is `cluster_name` with Istio's settings, and `envoy_cluster_name` with Envoy's
own. Where its pattern ends at the first dot of a host, the rest of the host becomes a part of the metric's name:
`envoy_cluster_demo_svc_cluster_local_upstream_rq{envoy_cluster_name="outbound|9001|v2|mouse-svc"}`. An `alt_stat_name`
that ends with a semicolon adds one more underscore.
Source: Envoy, "Cluster manager: statistics"; istio tools/packaging/common/envoy_bootstrap.json, stats_tags.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from meshconfig.carry import Workload, sole_lanes
from meshconfig.carry.access_log import hosts_outside
from meshconfig.carry.metrics import UNKNOWN, Series
from meshconfig.duration import written
from meshconfig.istio import cluster_names
from meshconfig.spec import LaneGroup
from meshconfig.traffic.flow import Flow, in_order
from meshconfig.traffic.metrics import Answers, Queries

_CLUSTER, _CODE = ("cluster_name", "envoy_cluster_name"), ("response_code", "envoy_response_code")
_POD = ("pod", "pod_name")  # as a PodMonitor and as Istio's example for Prometheus call it
_BY = ", ".join(("namespace", *_POD, *_CLUSTER))


@dataclass(frozen=True, slots=True)
class Callers:
    """Who a Pod is.

    Parameters:
        versions: the Pods of the group's versions, by `namespace/name`.
        there: all Pods that there are in `namespaces`, which are the group's.
    """

    versions: Mapping[str, Workload]
    there: frozenset[str]
    namespaces: Sequence[str]


def queries(group: LaneGroup, seconds: float) -> dict[str, Queries]:
    """The queries, by what their metrics' names have of a host; empty for those whose label has all of it.

    Parameters:
        seconds: the time up to now over which rates are taken; four scrapes or more.
    """
    hosts = sorted(_hosts(group))
    labels: dict[str, list[str]] = {"": hosts}
    for label, _, rest in (host.partition(".") for host in hosts):
        if rest:
            labels.setdefault(rest, []).append(label)
    return {rest: _queries(rest, labels[rest], written(seconds)) for rest in sorted(labels)}


def _queries(rest: str, names: Iterable[str], window: str) -> Queries:
    # A cluster may be of any group of the mesh. A host has no character that a regex reads but the dot.
    called = "|".join(names).replace(".", "[.]")
    clusters = [f',{label}=~"{cluster_names.OUTBOUND}[|][0-9]+[|][^|]*[|]({called});?"' for label in _CLUSTER]
    middle = re.sub(r"\W", "_", rest, flags=re.ASCII) + "_{1,2}" if rest else ""

    def rate(tail: str, by: str, *more: str) -> str:
        name = f'__name__=~"envoy_cluster_{middle}upstream_{tail}"'
        each = (f"rate({{{name}{one}{cluster}}}[{window}])" for one in more or ("",) for cluster in clusters)
        return f"sum by ({by}) ({' or '.join(each)})"

    times = rate("rq_time_bucket", f"le, {_BY}")
    return Queries(
        # Of a class of codes, such as 2xx, Istio's settings make a series of the same name.
        rate("rq", _BY, *(f',{code}!=""' for code in _CODE)),
        rate("rq", _BY, *(f',{code}=~"5.."' for code in _CODE)),
        f"histogram_quantile(0.95, {times})",
    )


def names_pods(series: Iterable[tuple[Mapping[str, str], float]]) -> bool:
    """Whether any series says of which Pod it is; True where there is none."""
    found = [bool(_pod(labels)) for labels, _ in series]
    return not found or any(found)


def flows(group: LaneGroup, callers: Callers, answers: Mapping[str, Answers]) -> list[Flow]:
    """The flows that the answers to `queries` tell of; their lane is `UNKNOWN` where it is not known."""
    read = _Reader(group, callers)
    return in_order(flow for rest, one in answers.items() for flow in read.flows(rest, one))


def _hosts(group: LaneGroup) -> dict[str, str]:
    """Services by host; of hosts outside the mesh, the service that has a version there."""
    outside = {host: one.service for host, one in hosts_outside(group).items()}
    return {**{service.host: service.name for service in group.inside()}, **outside}


class _Reader:
    def __init__(self, group: LaneGroup, callers: Callers) -> None:
        self._group, self._callers, self._hosts = group, callers, _hosts(group)
        self._outside, self._sole = hosts_outside(group), sole_lanes(group)
        self._beyond = frozenset(self._outside.values())

    def flows(self, rest: str, answers: Answers) -> Iterator[Flow]:
        failed, times = self._edges(rest, answers.failed), self._edges(rest, answers.p95)
        for (caller, callee), rates in self._edges(rest, answers.requests).items():
            if (rate := sum(rates)) > 0:
                errors = min(1.0, sum(failed.get((caller, callee), ())) / rate)
                # Quantiles of several Pods cannot be added: the slowest one's is shown.
                p95 = max(times.get((caller, callee), ()), default=None)
                yield Flow(caller, callee, self._sole.get(callee, UNKNOWN), rate, errors, p95)

    def _edges(self, rest: str, series: Series) -> dict[tuple[Workload | None, Workload], list[float]]:
        """The values of each edge, one for each Pod that calls."""
        found: dict[tuple[Workload | None, Workload], list[float]] = {}
        for labels, value in series:
            callee = self._callee(rest, labels)
            if callee and value == value and self._counts(pod := _pod(labels), callee):  # NaN: nothing was counted
                found.setdefault((self._callers.versions.get(pod), callee), []).append(value)
        return found

    def _callee(self, rest: str, labels: Mapping[str, str]) -> Workload | None:
        name = next((labels[one] for one in _CLUSTER if labels.get(one)), "").removesuffix(";")
        cluster = cluster_names.parse(f"{name}.{rest}" if rest else name)
        if cluster is None or cluster.direction != cluster_names.OUTBOUND:
            return None
        if (service := self._hosts.get(cluster.host)) is None:
            return None
        known = cluster.subset in self._group.spec.services[service].versions
        return self._outside.get(cluster.host) or Workload(service, cluster.subset if known else "")

    def _counts(self, pod: str, callee: Workload) -> bool:
        """Whether a Pod's calls are of this group.

        Of one that has ended it is not known whose they are: they count for nobody. A host outside the mesh is
        everybody's: what other namespaces call there is not this group's to show.
        """
        if not pod or pod.partition("/")[0] in self._callers.namespaces:
            return pod in self._callers.there
        return callee not in self._beyond


def _pod(labels: Mapping[str, str]) -> str:
    """`namespace/name`; empty where the labels do not say it."""
    name = next((labels[one] for one in _POD if labels.get(one)), "")
    return f"{labels['namespace']}/{name}" if name and labels.get("namespace") else ""
