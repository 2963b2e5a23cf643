"""Reads what a sidecar's access log says of one request: who answered or called, with which tag.

The names of the attributes are those of the `logFormat` in docs/carry.md. They come from a network: texts are cut, and
names count only if the group has them, so that what is kept of a record is bounded.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from meshconfig.backend.istio.route_names import route_id
from meshconfig.carry.lanes import OTHER, UNTAGGED, Workload, lane_of, tag_in_baggage
from meshconfig.istio import cluster_names
from meshconfig.model import RouteKind
from meshconfig.spec import LaneGroup

INBOUND = "inbound"
_LONGEST_PATH, _LONGEST_ID, _LONGEST_TAG = 200, 128, 8192
_ABSENT = ("", "-")  # Envoy writes `-` for what a request does not have

Pods = Callable[[str], Workload | None]  # `namespace/name` of a Pod → the version of the group that it is


@dataclass(frozen=True, slots=True)
class Record:
    """One request at one sidecar.

    Parameters:
        time: when it came, in seconds of the Unix epoch.
        pod: `namespace/name`.
        workload: what runs in this Pod.
        callee: whom it called; None for a request that it received.
        lane: the lane of the request's tag, `UNTAGGED` or `OTHER`.
        request_id: its `x-request-id`; empty where it had none.
        milliseconds: how long it took; None where the log does not say it.
    """

    time: float
    pod: str
    workload: Workload
    callee: Workload | None
    lane: str
    request_id: str = ""
    path: str = ""
    code: str = ""
    milliseconds: float | None = None


class AccessLog:
    """Reads records of one group.

    Parameters:
        pods: finds the version of the group that a Pod is; None for a Pod of others.
        outside: also read calls to the group's services outside the mesh, to which the tag is not sent.
    """

    def __init__(self, group: LaneGroup, pods: Pods, *, outside: bool = False) -> None:
        self._pods = pods
        self._lanes = frozenset(group.spec.lanes)
        self._tag, self._baggage = group.spec.tag.header, group.spec.tag.baggage
        self._services = {service.host: service for service in group.inside()}
        self._outside = hosts_outside(group) if outside else {}

    def read(self, attributes: Mapping[str, str], time: float) -> Record | None:
        """A record of the group; None for a request of others, or to a service that is not in the mesh."""
        pod = pod_of(attributes.get("node", ""))
        workload = self._pods(pod) if pod else None
        # Envoy logs `alt_stat_name` in the name's place, and Istio ends that with a semicolon.
        # Source: pilot networking/util, DelimitedStatsPrefix.
        cluster = cluster_names.parse(attributes.get("cluster", "").removesuffix(";"))
        if workload is None or cluster is None:
            return None
        callee = None
        if cluster.direction != INBOUND:
            callee = self._callee(cluster)
            if callee is None:
                return None
        return Record(
            time,
            pod,
            workload,
            callee,
            self._lane_by_route(attributes) if callee in self._outside.values() else self._lane(attributes),
            _text(attributes, "request_id", _LONGEST_ID),
            _text(attributes, "path", _LONGEST_PATH).partition("?")[0],
            _text(attributes, "code", 3),
            _number(_text(attributes, "duration", 12)),
        )

    def _callee(self, cluster: cluster_names.ClusterName) -> Workload | None:
        service = self._services.get(cluster.host)
        if service is None:
            return self._outside.get(cluster.host)
        return Workload(service.name, cluster.subset if cluster.subset in service.spec.versions else "")

    def _lane(self, attributes: Mapping[str, str]) -> str:
        lane = lane_of(_text(attributes, "tag", _LONGEST_TAG), self._lanes)
        if lane == UNTAGGED and self._baggage:
            inside = tag_in_baggage(self._tag, _text(attributes, "baggage", _LONGEST_TAG))
            return lane_of(inside, self._lanes)
        return lane

    def _lane_by_route(self, attributes: Mapping[str, str]) -> str:
        """The lane of a call that leaves the mesh: its route's, which has removed the tag."""
        route = route_id(_text(attributes, "route", _LONGEST_TAG))
        if route.kind is not RouteKind.LANE:
            return UNTAGGED
        return route.key if route.key in self._lanes else OTHER


def hosts_outside(group: LaneGroup) -> dict[str, Workload]:
    """The versions outside the mesh by their hosts."""
    return {
        version.host: Workload(name, called)
        for name, service in group.spec.services.items()
        for called, version in service.versions.items()
        if version.host
    }


def pod_of(node: str) -> str:
    """`namespace/name` of the Pod in a proxy's id, `sidecar~IP~NAME.NAMESPACE~…`; empty for a gateway's and any other.

    Source: istio pkg/model, ParseServiceNodeWithMetadata. A Pod's name may have dots, a namespace none.
    """
    kind, _, rest = node.partition("~")
    _, _, rest = rest.partition("~")
    name, dot, namespace = rest.partition("~")[0].rpartition(".")
    return f"{namespace}/{name}" if kind == "sidecar" and dot else ""


def _text(attributes: Mapping[str, str], name: str, longest: int) -> str:
    found = attributes.get(name, "")
    return "" if found in _ABSENT else found[:longest]


def _number(text: str) -> float | None:
    return float(text) if text.isdecimal() and text.isascii() else None
