"""The servers of Gateways, and the Services in front of their Pods, whose ports Envoy listens for.

A client calls a port of such a Service, and Envoy listens on its target.
Source: pilot model/gateway.go, resolvePorts. A server of a Gateway may name the Service's port or the Pods' own.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from meshconfig.istio import Gateway, Resources, Server, Service, Workload
from meshconfig.istio.gateways import Handling, ServedHost, handling, served_hosts
from meshconfig.istio.hosts import domain_matches, specificity
from meshconfig.istio.types import ServicePort

_UNTRANSLATED = "experimental.istio.io/disable-gateway-port-translation"


class ServerHosts(NamedTuple):
    """A server of a Gateway and its hosts.

    Parameters:
        gateway: `namespace/name`.
        ports: those that a client reaches it by: the Service's that lead to it, or its own.
    """

    gateway: str
    server: Server
    hosts: tuple[ServedHost, ...]
    ports: tuple[int, ...]

    @property
    def called(self) -> int:
        """The port by which a client reaches the server; it is the Service's where a Service translates."""
        return self.ports[0]

    @property
    def handling(self) -> Handling:
        return handling(self.server)

    @property
    def redirects(self) -> bool:
        """Whether the server redirects plain requests to https."""
        return self.server.tls is not None and self.server.tls.https_redirect

    def takes(self, scheme: str) -> bool:
        """Whether a client that speaks TLS (`https`), or plain HTTP, gets through."""
        return self.handling is Handling.TCP or self.handling.tls == (scheme == "https")

    def hosts_for(self, namespace: str) -> list[str]:
        """The hosts that VirtualServices of a namespace may bind to."""
        return [one.host for one in self.hosts if one.open_to(namespace)]

    def serves(self, host: str) -> bool:
        """Whether one of the server's hosts covers `host`."""
        return any(self._covering(host))

    def nearest(self, host: str) -> str:
        """The most specific of the server's hosts that cover `host`, in lower case; empty where none does."""
        return max(self._covering(host), key=specificity, default="")

    def _covering(self, host: str) -> Iterator[str]:
        return (name for one in self.hosts if domain_matches(name := one.host.lower(), host))


class Fronts:
    """The workload and the Services of each gateway's Pods, found once for each selector."""

    def __init__(self, resources: Resources, workloads: Sequence[Workload]) -> None:
        self._workloads = workloads
        self._services = [
            one for one in resources.services if one.spec.selector and _UNTRANSLATED not in one.metadata.labels
        ]
        self._known: dict[frozenset[tuple[str, str]], tuple[Workload | None, Mapping[int, int]]] = {}

    def workload(self, gateway: Gateway) -> Workload | None:
        """The first workload whose Pods the Gateway selects; None where none is given, or it selects all."""
        return self._of(gateway)[0]

    def servers(self, gateway: Gateway) -> Iterator[ServerHosts]:
        """The servers of a Gateway, with the ports by which clients reach them."""
        targets = self._of(gateway)[1]
        for server in gateway.spec.servers:
            number = server.port.number
            listens = targets.get(number, number)
            ports = [port for port, target in targets.items() if target == listens]
            if listens not in targets:
                ports.append(listens)
            yield ServerHosts(gateway.key, server, tuple(served_hosts(server, gateway.namespace)), tuple(ports))

    def _of(self, gateway: Gateway) -> tuple[Workload | None, Mapping[int, int]]:
        selector = gateway.spec.selector
        key = frozenset(selector.items())
        if key not in self._known:
            workload = self._find(selector) if selector else None
            self._known[key] = workload, self._targets(selector, workload) if selector else {}
        return self._known[key]

    def _find(self, selector: Mapping[str, str]) -> Workload | None:
        wanted = selector.items()
        return next((one for one in self._workloads if wanted <= one.spec.template.metadata.labels.items()), None)

    def _targets(self, selector: Mapping[str, str], workload: Workload | None) -> dict[int, int]:
        found: dict[int, int] = {}
        for service in self._services:
            if _selects(service, selector, workload):
                for port in service.spec.ports:
                    if (target := _target(port, workload)) is not None:
                        found.setdefault(port.port, target)
        return found


def _selects(service: Service, selector: Mapping[str, str], workload: Workload | None) -> bool:
    """Whether a Service leads to these Pods, as far as their labels are known."""
    wanted = service.spec.selector.items()
    if workload is not None:
        return service.namespace == workload.namespace and wanted <= workload.spec.template.metadata.labels.items()
    return wanted <= selector.items() or selector.items() <= wanted


def _target(port: ServicePort, workload: Workload | None) -> int | None:
    """None where the target is the name of a port that the workload does not show."""
    if port.target_port is None or isinstance(port.target_port, int):
        return port.target_port or port.port
    return next((number for name, number in _named_ports(workload) if name == port.target_port), None)


def _named_ports(workload: Workload | None) -> list[tuple[str, int]]:
    value: Any = workload.manifest.get("spec") if workload is not None else None
    for part in () if workload is None or workload.kind == "Pod" else ("template", "spec"):
        value = value.get(part) if isinstance(value, Mapping) else None
    containers = value.get("containers") if isinstance(value, Mapping) else None
    listed = [port for one in containers or () if isinstance(one, Mapping) for port in one.get("ports") or ()]
    return [(one["name"], one["containerPort"]) for one in listed if {"name", "containerPort"} <= one.keys()]
