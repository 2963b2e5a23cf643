"""The Envoy cluster of a route's destination. Where the proxy has no such cluster, it answers 503.

The cluster of a subset exists only if the DestinationRule that applies to this proxy defines the subset.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from meshconfig.istio import Destination, Workload
from meshconfig.istio.services import KnownService, destination_port
from meshconfig.istio.strings import UnknownError
from meshconfig.simulate import failover
from meshconfig.simulate.candidates import ProxyContext
from meshconfig.simulate.index import Index

NOT_FOUND = "cluster not found"


@dataclass(slots=True)
class Cluster:
    """Where a destination leads.

    Parameters:
        host: the Service's host, fully qualified.
        port: None when nothing says which.
        subset: empty for all Pods of the Service.
        labels: the subset's labels.
        missing: why the proxy has no such cluster; empty where it has one.
        workloads, preferred, prefers: as in `Destination`.
        undecided: what could change the answer and is not known, one sentence each.
        assumed: what the resources do not say and is taken for given, one sentence each.
    """

    host: str
    port: int | None
    subset: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    missing: str = ""
    workloads: tuple[str, ...] | None = None
    preferred: tuple[str, ...] | None = None
    prefers: failover.Wanted = ()
    undecided: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)


def resolve(index: Index, destination: Destination, proxy: ProxyContext) -> Cluster:
    """The cluster that a proxy uses for a destination.

    Parameters:
        destination: the destination of a route, its host fully qualified.
    """
    host, subset = destination.host, destination.subset
    service = index.registry.get(host, proxy.namespace)
    port = destination_port(destination, service, proxy.port, at_gateway=proxy.is_gateway)
    cluster = Cluster(host, port, subset)
    if service is None:
        cluster.missing = f"{NOT_FOUND}: there is no Service {host}"
    elif not service.has_port(port):
        cluster.missing = f"{NOT_FOUND}: Service {host} has no port {port}"
    else:
        if not service.given:
            cluster.assumed.append(f"there is a Service {host}" + (f" with port {port}" if port else ""))
        _apply_rule(index, service, proxy, cluster)
    return cluster


def of_service(index: Index, service: KnownService, proxy: ProxyContext) -> Cluster:
    """The cluster of all Pods of a Service, for requests that no route takes."""
    cluster = Cluster(service.host, proxy.port)
    _apply_rule(index, service, proxy, cluster)
    return cluster


def _apply_rule(index: Index, service: KnownService, proxy: ProxyContext, cluster: Cluster) -> None:
    rule, uncertain = index.rules.select(service.host, service.namespace, proxy.namespace, proxy.labels)
    if uncertain:
        cluster.undecided.append(f"a DestinationRule of {service.host} selects senders by labels that are not known")
    subset = rule.subsets.get(cluster.subset) if cluster.subset else None
    if cluster.subset and subset is None:
        cluster.missing = f"{NOT_FOUND}: no DestinationRule of {service.host} has subset {cluster.subset}"
        return
    if service.external_name:
        cluster.undecided.append(f"Service {service.host} is an ExternalName")
    if service.headless and not proxy.is_gateway:
        cluster.undecided.append(
            f"Service {service.host} is headless: a sidecar sends to the Pod that DNS gave the client"
        )
    cluster.labels = subset.labels if subset else {}
    try:
        cluster.prefers = failover.wanted(rule.traffic_policy, subset, proxy.labels)
    except UnknownError as error:
        cluster.undecided.append(str(error))
    _find_workloads(index, service, cluster)


def _find_workloads(index: Index, service: KnownService, cluster: Cluster) -> None:
    every = index.registry.workloads(service.namespace, service.selector) if service.selector else None
    if every is None:
        return
    found = [one for one in every if cluster.labels.items() <= one.spec.template.metadata.labels.items()]
    cluster.workloads = _names(found)
    cluster.preferred = _names(failover.preferred(found, cluster.prefers))


def _names(workloads: Iterable[Workload]) -> tuple[str, ...]:
    return tuple(one.key for one in workloads)
