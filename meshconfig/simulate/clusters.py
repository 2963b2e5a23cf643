"""The Envoy cluster of a route's destination. Where the proxy has no such cluster, it answers 503.

The cluster of a subset exists only if the DestinationRule that applies to this proxy defines the subset.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from meshconfig.istio import CLUSTER_DOMAIN, Destination, DestinationRule, Workload
from meshconfig.istio.exports import ROOT_NAMESPACE, namespaces
from meshconfig.istio.hosts import covers, fqdn
from meshconfig.istio.services import KnownService, destination_port
from meshconfig.istio.strings import UnknownError
from meshconfig.istio.types import RefusedBackend
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
        empty: why the cluster has no Pods; empty where it may have some.
        workloads, preferred, prefers: as in `Destination`.
        undecided: what could change the answer and is not known, one sentence each.
        assumed: what the resources do not say and is taken for given, one sentence each.
    """

    host: str
    port: int | None
    subset: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    missing: str = ""
    empty: str = ""
    workloads: tuple[str, ...] | None = None
    preferred: tuple[str, ...] | None = None
    prefers: failover.Wanted = ()
    undecided: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)


def resolve(index: Index, destination: Destination, proxy: ProxyContext, *, stream: bool = False) -> Cluster:
    """The cluster that a proxy uses for a destination.

    Parameters:
        destination: the destination of a route, its host fully qualified.
        stream: the route is a `tcp` or `tls` route, for which pilot looks at all ports of a Service.
    """
    host, subset = destination.host, destination.subset
    if isinstance(destination, RefusedBackend):
        return Cluster(host, destination.port.number, missing=destination.why)
    service = index.registry.get(host, proxy.namespace)
    all_ports = proxy.is_gateway or stream
    port = destination_port(destination, service, proxy.port, at_gateway=all_ports)
    cluster = Cluster(host, port, subset)
    if service is not None and service.external_name:
        if not all_ports and not service.has_port(proxy.port):
            cluster.missing = (
                f"{NOT_FOUND}: {host} is an ExternalName without port {proxy.port}, so no sidecar reads it"
            )
            return cluster
        alias, service = host, index.registry.get(service.external_name, proxy.namespace)
        if service is None or service.external_name:
            cluster.missing = f"{NOT_FOUND}: {_leads_nowhere(alias, index)}"
            return cluster
        host = cluster.host = service.host
    if service is None:
        cluster.missing = f"{NOT_FOUND}: there is no Service {host}{_under_wildcard(index, host)}"
    elif not service.has_port(port):
        cluster.missing = f"{NOT_FOUND}: Service {host} has no port {port}"
    elif service.refuses:
        cluster.empty = f"Service {host} has no Pods, for {service.refuses}"
    else:
        if not service.given:
            cluster.assumed.append(f"there is a Service {host}" + (f" with port {port}" if port else ""))
        _apply_rule(index, service, proxy, cluster)
    return cluster


def _leads_nowhere(alias: str, index: Index) -> str:
    target = index.registry.by_host[alias].external_name
    second = index.registry.by_host.get(target)
    if second is not None and second.external_name:
        return f"{alias} is an ExternalName of {target}, which is an ExternalName too, and pilot follows one"
    return f"{alias} is an ExternalName of {target}, which no Service or ServiceEntry has"


def _under_wildcard(index: Index, host: str) -> str:
    """A ServiceEntry `*.example.org` makes one cluster, under that name, and none for `www.example.org`."""
    fitting = [one.host for one in index.registry.wildcards if covers(one.host, host)]
    return f": the ServiceEntry of {fitting[0]} makes no cluster for it" if fitting else ""


def of_service(index: Index, service: KnownService, proxy: ProxyContext, pod: str = "") -> Cluster:
    """The cluster of all Pods of a Service, for requests that no route takes.

    Parameters:
        pod: the Pod of a headless Service that the client named; empty where it named the Service.
    """
    cluster = Cluster(service.host, proxy.port)
    _apply_rule(index, service, proxy, cluster)
    if pod:
        cluster.undecided = [one for one in cluster.undecided if one != _headless(service)]
        cluster.assumed.append(f"the request goes to Pod {service.namespace}/{pod}, as DNS gave the client its address")
        made_by = f"{service.namespace}/{pod.rpartition('-')[0]}"
        # A Pod may have another host name than its own, so that one that is not found may well be there.
        if fitting := [one for one in cluster.workloads or () if one in (made_by, f"{service.namespace}/{pod}")]:
            cluster.workloads = cluster.preferred = tuple(fitting)
    return cluster


def _headless(service: KnownService) -> str:
    return f"Service {service.host} is headless: a sidecar sends to the Pod that DNS gave the client"


def _apply_rule(index: Index, service: KnownService, proxy: ProxyContext, cluster: Cluster) -> None:
    rule, uncertain = index.rules.select(service.host, service.namespace, proxy.namespace, proxy.labels)
    if uncertain:
        cluster.undecided.append(f"a DestinationRule of {service.host} selects senders by labels that are not known")
    subset = rule.subsets.get(cluster.subset) if cluster.subset else None
    if cluster.subset and subset is None and _rules_unknown(index, service):
        cluster.assumed.append(f"a DestinationRule of {service.host} has subset {cluster.subset}")
    elif cluster.subset and subset is None:
        cluster.missing = f"{NOT_FOUND}: {_without_subset(index, service, proxy, cluster.subset)}"
        return
    if service.headless and not proxy.is_gateway:
        cluster.undecided.append(_headless(service))
    cluster.labels = subset.labels if subset else {}
    try:
        cluster.prefers = failover.wanted(rule.traffic_policy, subset, proxy.labels)
    except UnknownError as error:
        cluster.undecided.append(str(error))
    _find_workloads(index, service, cluster)


def _rules_unknown(index: Index, service: KnownService) -> bool:
    """Where neither the Service nor any DestinationRule is given, nothing is known of its subsets."""
    return not service.given and not index.resources.destination_rules and not index.resources.whole


def _without_subset(index: Index, service: KnownService, proxy: ProxyContext, subset: str) -> str:
    """Why a subset does not exist for a proxy; a rule that has it, but does not apply, is named."""
    rules = index.resources.destination_rules
    having = [one for one in rules if any(each.name == subset for each in one.spec.subsets)]
    if other := next((one for one in having if fqdn(one.spec.host, one.namespace) == service.host), None):
        looked = ", ".join(dict.fromkeys((proxy.namespace, service.namespace, ROOT_NAMESPACE)))
        why = f"pilot looks in the namespaces {looked}" if other.namespace not in looked.split(", ") else _beside(other)
        return f"{other} has subset {subset} of {service.host}, but does not apply: {why}"
    full = f".{CLUSTER_DOMAIN}"
    halves = (one for one in having if f"{one.spec.host.removesuffix('.svc')}{full}" == service.host)
    if half := next(halves, None):
        return f"{half} has subset {subset}, but for {half.spec.host}, which is not {service.host} to Istio"
    return f"no DestinationRule of {service.host} has subset {subset}"


def _beside(rule: DestinationRule) -> str:
    if rule.spec.workload_selector:
        return "its workloadSelector is for other Pods, or another rule goes before it"
    seen = ", ".join(sorted(namespaces(rule.spec.export_to, rule.namespace))) or "nobody"
    return f"it is exported to {seen}, or another rule goes before it"


def _find_workloads(index: Index, service: KnownService, cluster: Cluster) -> None:
    every = index.registry.workloads(service.namespace, service.selector) if service.selector else None
    if every is None:
        return
    found = [one for one in every if cluster.labels.items() <= one.spec.template.metadata.labels.items()]
    cluster.workloads = _names(found)
    cluster.preferred = _names(failover.preferred(found, cluster.prefers))


def _names(workloads: Iterable[Workload]) -> tuple[str, ...]:
    return tuple(one.key for one in workloads)
