"""The Services and ServiceEntries that a proxy knows, and the workloads behind them.

What is not among the resources cannot be told from what does not exist. So a namespace of which any Service is given
is taken to be given whole, and so is one that was read from a cluster; in any other, a Service that something names
is taken to exist, with the port that is asked for. The same holds for workloads.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from meshconfig.istio import exports, ports
from meshconfig.istio.hosts import ServiceName, is_wildcard, service_name
from meshconfig.istio.labels import REFUSES, is_ours
from meshconfig.istio.resources import Resources, Service, ServiceEntry, Workload
from meshconfig.istio.types import Destination


@dataclass(frozen=True, slots=True)
class KnownService:
    """A host that the mesh knows.

    Parameters:
        ports: port → its protocol, as `meshconfig.istio.ports` names it; None when the Service is taken for given and
            its ports are not known.
        external_name: the host that an ExternalName Service stands for; empty for any other Service.
        headless: a Kubernetes Service without an address of its own. Its Pods have names below its host.
        refuses: whose requests end here: it is graylane's, and has no Pods. Empty for any other Service.
    """

    host: str
    namespace: str
    ports: Mapping[int, str] | None = field(hash=False)
    selector: Mapping[str, str] = field(default_factory=dict, hash=False)
    export_to: tuple[str, ...] = ()
    external_name: str = ""
    headless: bool = False
    refuses: str = ""

    @property
    def given(self) -> bool:
        return self.ports is not None

    def has_port(self, port: int | None) -> bool:
        return self.ports is None or port is None or port in self.ports

    def is_http(self, port: int | None) -> bool:
        """True where this port of the Service is routed as HTTP. A Service that is only assumed is."""
        return ports.may_be_http(self.protocol(port))

    def protocol(self, port: int | None) -> str:
        """The protocol of one of its ports; `http` where the Service is only assumed, or has no such port."""
        return "http" if self.ports is None or port is None else self.ports.get(port, "http")

    @property
    def only_port(self) -> int | None:
        return next(iter(self.ports)) if self.ports and len(self.ports) == 1 else None


class Registry:
    """Every Service by its fully qualified host, and workloads by namespace."""

    def __init__(self, resources: Resources) -> None:
        services = [_of_service(one) for one in resources.services]
        entries = [known for one in resources.service_entries for known in _of_entry(one)]
        self.by_host: dict[str, KnownService] = {}
        for known in [*services, *entries]:
            self.by_host.setdefault(known.host, known)
        self.wildcards = [known for known in self.by_host.values() if is_wildcard(known.host)]
        self.whole_namespaces = whole_namespaces(resources)
        self._workloads: dict[str, list[Workload]] = {}
        for workload in _independent(resources.workloads):
            self._workloads.setdefault(workload.namespace, []).append(workload)

    def get(self, host: str, client: str | None = None) -> KnownService | None:
        """The Service of a host as a proxy in namespace `client` sees it (None: any), taken for given if need be."""
        known = self.by_host.get(host)
        if known is not None:
            return known if client is None or exports.visible(known.export_to, known.namespace, client) else None
        service = service_name(host)
        if service is None or service.namespace in self.whole_namespaces:
            return None
        return KnownService(host, service.namespace, None)

    def behind(self, alias: KnownService) -> str | None:
        """The host that an ExternalName stands for in the end; None for names that lead back to each other.

        Source: pilot model/push_context.go, resolveServiceAliases.
        """
        seen, host = {alias.host}, alias.external_name
        while (known := self.by_host.get(host)) is not None and known.external_name:
            if host in seen:
                return None
            seen.add(host)
            host = known.external_name
        return host

    def headless_above(self, host: str) -> KnownService | None:
        """The headless Service, among those given, that `pod-0.service.namespace.svc.cluster.local` is a Pod of."""
        pod, dot, rest = host.partition(".")
        known = self.by_host.get(rest) if pod and dot else None
        return known if known is not None and known.headless else None

    def workloads(self, namespace: str, labels: Mapping[str, str]) -> tuple[Workload, ...] | None:
        """Those whose Pods carry all of the labels; None when no workload of the namespace is given."""
        if namespace not in self._workloads:
            return None
        wanted = labels.items()
        return tuple(one for one in self._workloads[namespace] if wanted <= one.spec.template.metadata.labels.items())

    def all_workloads(self) -> Iterable[Workload]:
        return (one for group in self._workloads.values() for one in group)


def _independent(workloads: Iterable[Workload]) -> list[Workload]:
    """Those that no other of them made: a Deployment counts, but not also its ReplicaSets and their Pods."""
    given = {(one.kind, one.key) for one in workloads}
    return [one for one in workloads if not any(owner in given for owner in _owners(one))]


def _owners(workload: Workload) -> Iterable[tuple[str, str]]:
    """The kind and key of what made it. A ReplicaSet is named after its Deployment, with a hash at the end."""
    for reference in (workload.metadata.model_extra or {}).get("ownerReferences") or ():
        kind, name = str(reference.get("kind")), str(reference.get("name"))
        yield kind, f"{workload.namespace}/{name}"
        if kind == "ReplicaSet":
            yield "Deployment", f"{workload.namespace}/{name.rpartition('-')[0]}"
        if kind == "Job":
            yield "CronJob", f"{workload.namespace}/{name.rpartition('-')[0]}"


def whole_namespaces(resources: Resources) -> frozenset[str]:
    """The namespaces of which every Service is given. graylane's own Services do not show which others there are."""
    others = (one for one in resources.services if not is_ours(one.metadata.labels))
    return frozenset(one.namespace for one in others) | resources.whole


def host_of(service: Service) -> str:
    """A Service's host in full."""
    return ServiceName(service.name, service.namespace).host


def destination_port(
    destination: Destination, service: KnownService | None, called: int | None, *, at_gateway: bool
) -> int | None:
    """The port of a destination. One that names none gets the called port, or at a gateway the Service's only port.

    Parameters:
        service: the destination's, where it is known.
        called: the port that the proxy listens on for the request; None when not known.

    Source: pilot route.go, GetDestinationCluster.
    """
    only = service.only_port if service is not None and at_gateway else None
    return destination.port.number or only or called


def _of_service(service: Service) -> KnownService:
    return KnownService(
        host_of(service),
        service.namespace,
        {one.port: ports.protocol(one) for one in service.spec.ports},
        service.spec.selector,
        exports.annotated(service.metadata.annotations),
        service.spec.external_name if service.spec.type == "ExternalName" else "",
        service.spec.cluster_ip == "None",
        service.metadata.annotations.get(REFUSES, ""),
    )


def _of_entry(entry: ServiceEntry) -> Iterable[KnownService]:
    found = {port.number: ports.entry_protocol(port) for port in entry.spec.ports}
    return [KnownService(host.lower(), entry.namespace, found, {}, entry.spec.export_to) for host in entry.spec.hosts]
