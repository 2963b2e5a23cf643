"""Which Services are versions of which: a version that is a subset to Istio has a Service of its own in Gateway API."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from meshconfig.backend.gateway.names import version_service
from meshconfig.backend.manifest import SERVICE, VERSION
from meshconfig.istio import Resources, Service
from meshconfig.istio.gateway_api import RouteResource, rules_of
from meshconfig.istio.gateway_api_types import GRPCRouteRule, RouteRule
from meshconfig.istio.hosts import ServiceName
from meshconfig.model import Name

PodPorts = dict[tuple[str, int], set[int | str]]
Leads = Mapping[Name, Mapping[Name, None]]


@dataclass(frozen=True, slots=True)
class Version:
    """A Service that stands for one version.

    Parameters:
        host: that of its service. name: the version's.
        labels: what its Pods have beside the selector of its service.
    """

    host: str
    name: str
    labels: Mapping[str, str]


def versions(resources: Resources, routes: Iterable[RouteResource]) -> dict[Name, Version]:
    """The versions among the Services that routes lead to, and graylane's own.

    A Service is a version of another if graylane's labels say so; if the other's own routes lead to it, or its name is
    the other's with something behind it, and it selects some of the Pods that the other selects.
    """
    services = {Name(one.namespace, one.name): one for one in resources.services}
    leads = led(routes)
    found: dict[Name, Version] = {}
    for name, service in sorted(services.items()):
        of = _by_labels(name, service) or (_of(name, service, services, leads) if name in leads else None)
        if of is not None and service.spec.selector:
            short = name.name.removeprefix(f"{of.name}-")
            labels = _beyond(services.get(of), service)
            found[name] = Version(ServiceName(of.name, of.namespace).host, short, labels)
    return found


def pod_ports(resources: Resources, routes: Iterable[RouteResource], known: Mapping[Name, Version]) -> PodPorts:
    """By the host of a service and a port, the ports of Pods to which the Services lead that become its versions.

    These are its versions' Services, and its own where routes lead there.
    """
    leads = led(routes)
    found: PodPorts = defaultdict(set)
    for service in resources.services:
        name = Name(service.namespace, service.name)
        if name not in known and name not in leads:
            continue
        host = known[name].host if name in known else ServiceName(name.name, name.namespace).host
        for port in service.spec.ports:
            found[host, port.port].add(port.target_port or port.port)
    return found


def led(routes: Iterable[RouteResource]) -> Leads:
    """The Services that routes lead to, each with those whose own routes do."""
    found: dict[Name, dict[Name, None]] = defaultdict(dict)
    for route in routes:
        parents = [
            Name(ref.namespace or route.namespace, ref.name)
            for ref in route.spec.parent_refs
            if (ref.group, ref.kind) == ("", "Service")
        ]
        for rule in rules_of(route):
            for name in _backends(rule, route.namespace):
                found[name].update(dict.fromkeys(parents))
    return found


def _backends(rule: RouteRule | GRPCRouteRule, namespace: str) -> Iterator[Name]:
    mirrors = (one.request_mirror.backend_ref for one in rule.filters if one.request_mirror)
    for ref in (*rule.backend_refs, *mirrors):
        if (ref.group, ref.kind) == ("", "Service"):
            yield Name(ref.namespace or namespace, ref.name)


def _by_labels(name: Name, service: Service) -> Name | None:
    labels = service.metadata.labels
    of, version = labels.get(SERVICE), labels.get(VERSION)
    if not of or not version or version_service(ServiceName(of, name.namespace).host, version) != name:
        return None
    return Name(name.namespace, of)


def _of(name: Name, service: Service, services: Mapping[Name, Service], leads: Leads) -> Name | None:
    selector = service.spec.selector.items()
    parents = [one for one in leads[name] if one.namespace == name.namespace and one != name]
    for one in parents:
        if one not in services or services[one].spec.selector.items() < selector:
            return one
    wider = [
        other
        for other, one in services.items()
        if other.namespace == name.namespace
        and name.name.startswith(f"{other.name}-")
        and one.spec.selector
        and one.spec.selector.items() < selector
    ]
    return max(wider, key=lambda one: len(one.name), default=None)


def _beyond(whole: Service | None, part: Service) -> dict[str, str]:
    """The labels that a version selects beside those of its service."""
    selected: Mapping[str, Any] = whole.spec.selector if whole is not None else {}
    return {name: value for name, value in part.spec.selector.items() if selected.get(name) != value}
