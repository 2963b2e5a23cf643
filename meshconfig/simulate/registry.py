"""The Services and ServiceEntries that a proxy knows, and the workloads behind them.

What is not among the resources cannot be told from what does not exist. So a namespace of which any Service is given
is taken to be given whole; in any other, a Service that something names is taken to exist, with the port that is
asked for. The same holds for workloads.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from meshconfig.istio import CLUSTER_DOMAIN, Resources, Service, ServiceEntry, Workload
from meshconfig.simulate.hosts import visible

EXPORT_TO = "networking.istio.io/exportTo"
_HTTP = frozenset({"http", "http2", "http_proxy", "grpc", "grpc-web"})
_OTHER = frozenset({"tcp", "udp", "tls", "https", "mongo", "redis", "mysql"})
_WELL_KNOWN = frozenset({25, 53, 3306, 27017})  # SMTP, DNS, MySQL, MongoDB


@dataclass(frozen=True, slots=True)
class KnownService:
    """A host that the mesh knows.

    Parameters:
        ports: port → is it HTTP as far as Istio can tell (a port of no known protocol is sniffed, so it is); None when
            the Service is taken for given and its ports are not known.
    """

    host: str
    namespace: str
    ports: Mapping[int, bool] | None = field(hash=False)
    selector: Mapping[str, str] = field(default_factory=dict, hash=False)
    export_to: tuple[str, ...] = ()
    external_name: bool = False
    headless: bool = False

    @property
    def given(self) -> bool:
        return self.ports is not None

    def has_port(self, port: int | None) -> bool:
        return self.ports is None or port is None or port in self.ports

    def is_http(self, port: int | None) -> bool:
        """Is this port, which the Service has, routed as HTTP? One that is taken for given is."""
        return self.ports is None or port is None or self.ports[port]

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
        self.wildcards = [known for known in self.by_host.values() if known.host.startswith("*")]
        self.whole_namespaces = frozenset(one.namespace for one in resources.services)
        self._workloads: dict[str, list[Workload]] = {}
        for workload in resources.workloads:
            self._workloads.setdefault(workload.namespace, []).append(workload)

    def get(self, host: str, client: str | None = None) -> KnownService | None:
        """The Service of a host as a proxy in namespace `client` sees it (None: any), taken for given if need be."""
        known = self.by_host.get(host)
        if known is not None:
            return known if client is None or visible(known.export_to, known.namespace, client) else None
        namespace = namespace_of(host)
        if namespace is None or namespace in self.whole_namespaces:
            return None
        return KnownService(host, namespace, None)

    def workloads(self, namespace: str, labels: Mapping[str, str]) -> tuple[Workload, ...] | None:
        """Those whose Pods carry all of the labels; None when no workload of the namespace is given."""
        if namespace not in self._workloads:
            return None
        wanted = labels.items()
        return tuple(one for one in self._workloads[namespace] if wanted <= one.spec.template.metadata.labels.items())

    def all_workloads(self) -> Iterable[Workload]:
        return (one for group in self._workloads.values() for one in group)


def namespace_of(host: str) -> str | None:
    """The namespace of `name.namespace.svc.cluster.local`; None for any other host."""
    head = host.removesuffix(f".{CLUSTER_DOMAIN}")
    name, _, namespace = head.partition(".")
    return namespace if head != host and name and namespace and "." not in namespace and name != "*" else None


def is_http(port: int, name: str, protocol: str, app_protocol: str) -> bool:
    """Would Istio route this port of a Service as HTTP? By appProtocol, else by its name, up to the first dash.

    What tells no protocol is sniffed, so HTTP on it is routed too, but for the ports of a few well-known others.

    Source: Istio, "Protocol Selection"; pkg/config/kube, ConvertProtocol.
    """
    told = (app_protocol or name).lower()
    if protocol == "UDP" or told == "kubernetes.io/wss":
        return False
    if app_protocol in ("kubernetes.io/h2c", "kubernetes.io/ws"):
        return True
    prefix = "grpc-web" if told.startswith("grpc-web") else told.partition("-")[0]
    return prefix in _HTTP or (prefix not in _OTHER and port not in _WELL_KNOWN)


def _of_service(service: Service) -> KnownService:
    ports = {one.port: is_http(one.port, one.name, one.protocol, one.app_protocol) for one in service.spec.ports}
    export_to = service.metadata.annotations.get(EXPORT_TO, "")
    return KnownService(
        f"{service.name}.{service.namespace}.{CLUSTER_DOMAIN}",
        service.namespace,
        ports,
        service.spec.selector,
        tuple(part.strip() for part in export_to.split(",") if part.strip()),
        service.spec.type == "ExternalName",
        service.spec.cluster_ip == "None",
    )


def _of_entry(entry: ServiceEntry) -> Iterable[KnownService]:
    ports = {port.number: port.protocol.lower() not in _OTHER for port in entry.spec.ports}
    return [KnownService(host.lower(), entry.namespace, ports, {}, entry.spec.export_to) for host in entry.spec.hosts]
