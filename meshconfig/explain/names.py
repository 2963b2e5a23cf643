"""Names as specs and people write them, and the hosts and subsets of Istio's resources."""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple

from meshconfig import baggage
from meshconfig.errors import nearest
from meshconfig.explain.given import Given
from meshconfig.istio import Resources
from meshconfig.istio.hosts import ServiceName, fqdn, is_short, service_name
from meshconfig.model import Carries, Model, Service
from meshconfig.simulate import Carrying, Destination, Outcome
from meshconfig.simulate.in_mesh import names_of
from meshconfig.simulate.request import split_port


class Hop(NamedTuple):
    """A service of a chain. `model`: that of its spec; None for a Service that no spec has."""

    name: str
    host: str
    port: int | None
    carries: Carries = "both"
    model: Model | None = None


class Names:
    """Translates between the services and versions of specs and the hosts and subsets of Istio's resources."""

    def __init__(self, given: Given) -> None:
        models = given.models
        self.given = given
        self.services = {service.name: service for model in models for service in model.services}
        self.by_host = {service.host: service for service in self.services.values()}
        # Outside the mesh a service has a host for each version.
        self.of_host = {table.host: one for one in self.services.values() for table in one.subset_tables}
        self.models = {service.host: model for model in models for service in model.services}
        # With the backend `gateway` each version has a Service of its own.
        self.version_services = {host: place for model in models for host, place in version_services(model)}
        self.carrying = Carrying(
            tuple(sorted({model.tag for model in models})) or ("env",),
            {service.host: service.carries for service in self.services.values()},
            versions={host: service for host, (service, _) in self.version_services.items()},
        )

    def find(self, name: str) -> Service | None:
        """A spec's service by its name, its Service's name or its full host."""
        known = self.services.get(name) or self.by_host.get(name)
        return known or next((one for one in self.services.values() if one.resource.name == name), None)

    def hop(self, name: str, namespace: str | None) -> Hop | None:
        """A service of a chain; None where no spec and no Service has that name."""
        if (service := self.find(name)) is not None:
            return Hop(service.name, service.host, service.port, service.carries, self.models[service.host])
        host, port = split_port(name)
        found = self.meant(host, namespace)
        return Hop(name, found[0], port) if len(found) == 1 else None

    def meant(self, name: str, namespace: str | None) -> tuple[str, ...]:
        """The hosts that a service's name may mean: none for an unknown one, several for one of several namespaces.

        Parameters:
            name: of a spec's service, or a Service's name with or without its namespace, or a host in full.
            namespace: that of a short name, where one is said.
        """
        if (service := self.find(name)) is not None:
            return (service.host,)
        if namespace is None and is_short(name) and name not in self.versions:
            named = [host for host in self.versions if (one := service_name(host)) and one.name == name]
            return tuple(sorted(named))
        return tuple(full for full in names_of(name, namespace or "default") if full in self.versions)[:1]

    @cached_property
    def versions(self) -> Mapping[str, frozenset[str]]:
        """The versions of each host that specs and manifests name: its subsets, and its Pods' labels `version`."""
        found: dict[str, set[str]] = {host: set() for host in (*self.by_host, *self.given.index.registry.by_host)}
        for host, subset in _subsets(self.given.index.resources):
            found.setdefault(host, set()).update([subset] if subset else [])
        for host, known in self.given.index.registry.by_host.items():
            if known.selector:
                found[host].update(self.labels(known.namespace, known.selector))
        for service in self.services.values():
            if service.outside:  # each of its hosts has one of its versions
                found[service.host].update(one.version for one in service.subsets)
        for host, subset in self.version_services.values():
            found[host].add(subset)
        return {host: frozenset(names) for host, names in found.items() if host not in self.version_services}

    def labels(self, namespace: str, selector: Mapping[str, str]) -> frozenset[str]:
        """The values of the label `version` of the Pods that a selector selects."""
        found = self.given.index.registry.workloads(namespace, selector) or ()
        every = (one.spec.template.metadata.labels.get("version") for one in found)
        return frozenset(one for one in every if one)

    @cached_property
    def pods(self) -> Mapping[str, Mapping[str, str]]:
        """The labels of the Pods of each workload, by its namespace and name."""
        return {one.key: one.spec.template.metadata.labels for one in self.given.index.registry.all_workloads()}

    def version_of(self, host: str, subset: str) -> str:
        """The version that a subset stands for: in a spec, the one that a lane prefers while it has healthy Pods."""
        subsets = self.of_host[host].subsets if host in self.of_host else ()
        return next((one.version for one in subsets if one.name == subset and one.version), subset)

    def place(self, destination: Destination) -> tuple[str, str]:
        """The host of a destination's service, and the subset; outside the mesh, the spec's service and the version.

        A request that leaves by an egress gateway goes to that gateway's host, with the version's host as its own.
        """
        if destination.host in self.version_services:
            return self.version_services[destination.host]
        authority = destination.authority
        host = destination.host if destination.host in self.of_host or authority not in self.of_host else authority
        service = self.of_host.get(host)
        if service is None or not service.outside:
            return destination.host, destination.subset
        version = next(table.subsets[0].version for table in service.outside.subsets if table.host == host)
        return service.host, version

    def short(self, host: str) -> str:
        """The name of a host: that of its spec's service, else that of its Service, with the namespace if need be."""
        host = self.carrying.service_of(host)
        if host in self.of_host:
            return self.of_host[host].name
        known = service_name(host)
        if known is None:
            return host
        return known.name if len(self.meant(known.name, None)) == 1 else f"{known.name}.{known.namespace}"

    def unknown(self, name: str) -> str:
        """The message about a name that no service has, or services of several namespaces."""
        if len(found := self.meant(name, None)) > 1:
            places = sorted(one.namespace for host in found if (one := service_name(host)))
            return f"{name} is in the namespaces {', '.join(places)}: write {name}.{places[0]}"
        known = {*self.services, *map(self.short, self.versions)}
        return f"there is no service {name}{nearest(name, known)}"

    def answering(self, destination: Destination) -> frozenset[str]:
        """The versions that may answer: that of the subset, or else the values of the Pods' label `version`."""
        host, subset = self.place(destination)
        if subset:
            return frozenset((self.version_of(host, subset),))
        found = [self.pods[one].get("version", "") for one in destination.preferred or () if one in self.pods]
        return frozenset(one for one in found if one)

    def said(self, outcome: Outcome) -> str:
        """`cat/gray`; for what the proxy answers by itself, its own words."""
        if not isinstance(outcome, Destination):
            return str(outcome)
        version, name = "|".join(sorted(self.answering(outcome))), self.short(self.place(outcome)[0])
        return f"{name}/{version}" if version else name

    def version(self, destination: Destination) -> str:
        host, subset = self.place(destination)
        service = self.of_host.get(host)
        name = service.name if service else host
        return f"{name} / {subset}" if subset else name


def version_services(model: Model) -> Iterator[tuple[str, tuple[str, str]]]:
    """The hosts of the Services that stand for versions, each with its service's host and the subset."""
    if model.backend != "gateway":
        return
    from meshconfig.backend.gateway.names import version_service

    for service in model.services:
        for subset in () if service.outside else service.subsets:
            name = version_service(service.host, subset.name)
            yield ServiceName(name.name, name.namespace).host, (service.host, subset.name)


def percent(share: Fraction) -> str:
    """`90 %`, with four digits at most."""
    return f"{float(share * 100):.4g} %"


def _subsets(resources: Resources) -> Iterator[tuple[str, str]]:
    """Every host and subset that DestinationRules have and routes lead to; the subset is empty where none is named."""
    for rule in resources.destination_rules:
        host = fqdn(rule.spec.host, rule.namespace)
        yield host, ""
        yield from ((host, subset.name) for subset in rule.spec.subsets)
    for owner in resources.virtual_services:
        for route in owner.spec.http:
            for one in (each for each in route.route if each.destination.host):
                yield fqdn(one.destination.host, owner.namespace), one.destination.subset


def only_namespace(resources: Resources, host: str) -> str | None:
    """The namespace that a short name can only mean: that of the one Service, or else VirtualService, that has it."""
    if not is_short(host):
        return None
    found = {one.namespace for one in resources.services if one.name == host} or {
        one.namespace for one in resources.virtual_services if host in one.spec.hosts
    }
    return next(iter(found)) if len(found) == 1 else None


def unknown_lanes(given: Given, headers: Iterable[tuple[str, str]]) -> list[str]:
    """A sentence for each tag that names no lane of any spec with that tag."""
    lanes: dict[str, set[str]] = {}
    for group in given.groups:
        lanes.setdefault(group.model.tag, set()).update(group.spec.spec.lanes)
    sent = [(tag, value) for tag in lanes for value in dict.fromkeys(_tags(headers, tag)) if value]
    return [
        f"{tag}: there is no lane {value}{nearest(value, lanes[tag])}"
        for tag, value in sent
        if value.partition(".")[0] not in lanes[tag]
    ]


def _tags(headers: Iterable[tuple[str, str]], tag: str) -> list[str]:
    """The values of a tag: of its header, else of its member of W3C baggage."""
    pairs = [(name.lower(), value) for name, value in headers]
    if sent := [value for name, value in pairs if name == tag.lower()]:
        return sent
    members = baggage.members(value for name, value in pairs if name == baggage.HEADER)
    return [baggage.value_of(one) for one in members if baggage.key_of(one) == tag]
