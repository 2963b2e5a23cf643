"""An index of the input for all rules: resources by host and name, and the kinds that the user gave.

A rule about a missing resource checks first that its kind was given: without any Service, no host is unknown.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from meshconfig.admission import Kind
from meshconfig.groups import Group
from meshconfig.istio import (
    CLUSTER_DOMAIN,
    Destination,
    DestinationRule,
    Gateway,
    HTTPRoute,
    Resource,
    Resources,
    Service,
    ServiceEntry,
    Subset,
    VirtualService,
    fqdn,
)
from meshconfig.istio.destination_rules import DestinationRules
from meshconfig.istio.exports import ROOT_NAMESPACE
from meshconfig.istio.gateway_api import RouteResource, Translated, translated
from meshconfig.istio.gateway_api_types import GATEWAY_KIND
from meshconfig.istio.gateways import at_gateways, gateway_name, in_mesh, servers_by_host
from meshconfig.istio.hosts import HostMap, is_wildcard, namespace_of, wildcards
from meshconfig.istio.services import host_of
from meshconfig.lint.copies import Replaced
from meshconfig.lint.http_fields import HttpFields
from meshconfig.lint.names import Names
from meshconfig.lint.pods import PodTemplates
from meshconfig.lint.refused import Refused, refused
from meshconfig.lint.shadowing.unreachable import Unreachable, unreachable
from meshconfig.load import Document, FieldPath

if TYPE_CHECKING:
    from meshconfig.simulate import Index as Simulation

T = TypeVar("T")
SYSTEM_NAMESPACES = frozenset({ROOT_NAMESPACE, "kube-system", "kube-public", "kube-node-lease"})


class Use(NamedTuple):
    """A destination in a VirtualService.

    Parameters:
        path: its field.
        host: its host, fully qualified.
        http: it is not of a tcp or tls route.
    """

    owner: VirtualService
    path: FieldPath
    destination: Destination
    host: str
    http: bool


class Uses(NamedTuple):
    """All destinations of one VirtualService. `hosts`: its own hosts, fully qualified."""

    owner: VirtualService
    hosts: frozenset[str]
    all: list[Use]


@dataclass(frozen=True)
class Index:
    """An index of all input.

    Parameters:
        resources: the given resources, and those that the groups render to.
        groups: the specs.
        given: the given resources alone. Rendered ones do not count, as they do not show what else exists.
        replaced: resources of the input that others of the same name replace; `resources` is without them.
        rollouts: the documents of kind Rollout.
        lanes: those of kind Lane.
    """

    resources: Resources
    groups: tuple[Group, ...] = ()
    given: Resources = field(default_factory=Resources)
    replaced: tuple[Replaced, ...] = ()
    rollouts: tuple[Document, ...] = ()
    lanes: tuple[Document, ...] = ()

    @cached_property
    def _made(self) -> dict[Callable[["Index"], Any], Any]:
        return {}

    def once(self, make: Callable[["Index"], T]) -> T:
        """What a function makes of this index, made once for all rules that need it."""
        if make not in self._made:
            self._made[make] = make(self)
        return cast(T, self._made[make])

    @cached_property
    def given_namespaces(self) -> dict[str, set[str]]:
        """The namespaces in which each kind was given."""
        found: dict[str, set[str]] = defaultdict(set)
        for resource in everything(self.given):
            found[resource.kind].add(resource.namespace)
        return found

    def is_given(self, kind: str, namespace: str = "") -> bool:
        """Whether any resource of this kind was given, in this namespace."""
        found = self.given_namespaces.get(kind, ())
        return namespace in found if namespace else bool(found)

    @cached_property
    def services(self) -> dict[str, Service]:
        return {host_of(one): one for one in self.resources.services}

    @cached_property
    def service_entries(self) -> dict[str, list[ServiceEntry]]:
        return _grouped((host, one) for one in self.resources.service_entries for host in one.spec.hosts)

    @cached_property
    def gateways(self) -> dict[str, Gateway]:
        return {one.key: one for one in self.resources.gateways}

    @cached_property
    def _servers(self) -> dict[tuple[str, str], HostMap[int]]:
        return {}

    def servers(self, gateway: str, namespace: str) -> HostMap[int]:
        """The indices of the servers of a Gateway (`namespace/name`) by host, for VirtualServices of a namespace."""
        key = (gateway, namespace)
        if key not in self._servers:
            found = self.gateways[gateway]
            self._servers[key] = servers_by_host(found.spec.servers, found.namespace, namespace)
        return self._servers[key]

    @cached_property
    def kubernetes_gateways(self) -> set[str]:
        """The Gateways of the Kubernetes Gateway API, each as `namespace/name`."""
        return {one.key for one in self.resources.others if one.kind == GATEWAY_KIND}

    @cached_property
    def gateway_api(self) -> Translated:
        """Where routes of the Gateway API are attached, and what they become."""
        return translated(self.resources)

    @cached_property
    def routes_of_gateway_api(self) -> list[RouteResource]:
        """The HTTPRoutes and GRPCRoutes."""
        return list({one.route.key + one.route.kind: one.route for one in self.gateway_api.attached}.values())

    @cached_property
    def destination_rules(self) -> dict[str, list[DestinationRule]]:
        """The DestinationRules by fully qualified host."""
        return _grouped((fqdn(one.spec.host, one.namespace), one) for one in self.resources.destination_rules)

    def rules_of(self, host: str) -> list[DestinationRule]:
        """Every DestinationRule that may apply to a host, in whatever namespace: by its name, or by a wildcard."""
        if not self._has_wildcard_rules:
            return self.destination_rules.get(host, [])
        return [rule for name in self._rule_hosts(host) for rule in self.destination_rules.get(name, ())]

    def _rule_hosts(self, host: str) -> Iterable[str]:
        return (host, *wildcards(host)) if self._has_wildcard_rules else (host,)

    @cached_property
    def _has_wildcard_rules(self) -> bool:
        return any(map(is_wildcard, self.destination_rules))

    def rules_with(self, host: str, subset: str) -> list[DestinationRule]:
        """Those of them that have a subset of this name."""
        found = [one for name in self._rule_hosts(host) for one, _, _ in self.subsets.get((name, subset), ())]
        return found if len(found) < 2 else list({one.key: one for one in found}.values())

    @cached_property
    def rules_in_force(self) -> DestinationRules:
        """The DestinationRules as pilot finds them for a proxy."""
        return DestinationRules(self.resources.destination_rules)

    @cached_property
    def subsets(self) -> dict[tuple[str, str], list[tuple[DestinationRule, int, Subset]]]:
        """The subsets by fully qualified host and name, each with its index in its rule."""
        return _grouped(
            ((host, subset.name), (rule, number, subset))
            for host, rules in self.destination_rules.items()
            for rule in rules
            for number, subset in enumerate(rule.spec.subsets)
        )

    @cached_property
    def mesh_virtual_services(self) -> dict[str, list[VirtualService]]:
        """The VirtualServices of sidecars, by fully qualified host."""
        return _grouped(
            (host, one)
            for one in self.resources.virtual_services
            if in_mesh(one.spec.gateways)
            for host in hosts_in_full(one)
        )

    @cached_property
    def gateway_virtual_services(self) -> dict[tuple[str, str], list[VirtualService]]:
        """The VirtualServices of gateways, by Gateway (`namespace/name`) and host."""
        return _grouped(
            ((gateway_name(name, one.namespace), host), one)
            for one in self.resources.virtual_services
            for name in at_gateways(one.spec.gateways)
            for host in one.spec.hosts
        )

    @cached_property
    def refused(self) -> dict[Kind, list[Refused]]:
        """What the API server or Istio's webhook refuses, by the kind of mistake."""
        return refused([*everything(self.resources)], self.resources.unreadable)

    @cached_property
    def http(self) -> HttpFields:
        """The HTTP routes and matches of all VirtualServices by their fields."""
        return HttpFields(self.resources.virtual_services)

    @cached_property
    def delegates(self) -> dict[str, VirtualService]:
        """The VirtualServices without hosts, by `namespace/name`."""
        return {one.key: one for one in self.resources.virtual_services if not one.spec.hosts}

    @cached_property
    def simulation(self) -> "Simulation":
        """The index of the same resources that requests are simulated with."""
        from meshconfig.simulate import Index as Simulation  # few inputs need it, and commands start without it

        return Simulation(self.resources)

    @cached_property
    def pods(self) -> PodTemplates:
        return PodTemplates(self.resources)

    @cached_property
    def uses_by_owner(self) -> list[Uses]:
        """The destinations of each VirtualService."""
        return [Uses(one, frozenset(hosts_in_full(one)), [*_uses(one)]) for one in self.resources.virtual_services]

    @cached_property
    def uses(self) -> list[Use]:
        """Every destination of every VirtualService."""
        return [use for uses in self.uses_by_owner for use in uses.all]

    @cached_property
    def uses_of_whole_hosts(self) -> list[Use]:
        """The destinations of HTTP routes that name no subset."""
        return [use for use in self.uses if use.http and not use.destination.subset]

    @cached_property
    def routed_hosts(self) -> set[str]:
        """The fully qualified hosts of all destinations of HTTP routes."""
        return {use.host for use in self.uses if use.http}

    @cached_property
    def bound_to_gateways(self) -> list[VirtualService]:
        """The VirtualServices with a Gateway among their gateways, be it beside `mesh`."""
        return [one for one in self.resources.virtual_services if at_gateways(one.spec.gateways)]

    @cached_property
    def unreachable(self) -> list[tuple[VirtualService, Unreachable]]:
        """Each VirtualService with routes or matches that no request reaches, and these."""
        judged = ((one, unreachable(one)) for one in self.resources.virtual_services)
        return [(one, found) for one, found in judged if found != Unreachable()]

    def knows_host(self, host: str) -> bool | None:
        """Whether a host is a Service or in a ServiceEntry. None: the input does not show it.

        A ServiceEntry's wildcard is a host of its own: it is no cluster for the hosts that it covers. A Service counts
        as missing if others of its namespace were given, any other host if ServiceEntries were.
        """
        if host in self.services or host in self.service_entries:
            return True
        namespace = namespace_of(host)
        if not namespace:
            return False if self.in_full(host) in self.services or self.is_given("ServiceEntry") else None
        return False if self.is_given("Service", namespace) else None

    @cached_property
    def shows_hosts(self) -> bool:
        """Whether the input shows of any host that there is none: it has Services or ServiceEntries."""
        return bool(self.services) or self.is_given("Service") or self.is_given("ServiceEntry")

    def has_ports(self, host: str) -> bool:
        """Whether a host is a Service with ports of its own: one that is given, and no ExternalName."""
        return host in self.services and self.services[host].spec.type != "ExternalName"

    def ports(self, host: str) -> frozenset[int]:
        """The ports of a Service; empty where it is not given, or is an ExternalName, which needs none."""
        return self._ports.get(host, frozenset())

    @cached_property
    def _ports(self) -> dict[str, frozenset[int]]:
        given = {host: one.spec.ports for host, one in self.services.items() if self.has_ports(host)}
        return {host: frozenset(one.port for one in ports) for host, ports in given.items()}

    def is_covered(self, host: str) -> bool:
        """Whether a host is within a wildcard of a ServiceEntry."""
        return any(name in self.service_entries for name in wildcards(host))

    def in_full(self, host: str) -> str:
        """The Service that half a name may mean (`cat.demo`, `cat.demo.svc`), if the input names it; else empty.

        To Istio such a name is complete, as every name with a dot.
        """
        full = f"{host.removesuffix('.svc')}.{CLUSTER_DOMAIN}"
        known = full in self.services or full in self.named_services
        return full if "." in host and known else ""

    @cached_property
    def named_services(self) -> set[str]:
        """The Services that DestinationRules and destinations name in full."""
        named = {use.host for use in self.uses} | self.destination_rules.keys()
        return {host for host in named if namespace_of(host)}

    def service_namespace(self, host: str) -> str | None:
        """The namespace of a host's Service or ServiceEntry; None if it is not known."""
        entries = self.service_entries.get(host)
        return entries[0].namespace if entries else namespace_of(host)

    @cached_property
    def known_hosts(self) -> Names:
        """The hosts of Services and ServiceEntries."""
        return Names((*self.services, *self.service_entries))

    @cached_property
    def known_gateways(self) -> Names:
        return Names((*self.gateways, *self.kubernetes_gateways))


def hosts_in_full(owner: VirtualService) -> list[str]:
    return [fqdn(host, owner.namespace) for host in owner.spec.hosts]


def everything(resources: Resources) -> Iterator[Resource[Any]]:
    kinds: Sequence[Sequence[Resource[Any]]] = (
        resources.virtual_services,
        resources.destination_rules,
        resources.gateways,
        resources.services,
        resources.service_entries,
        resources.workloads,
        resources.namespaces,
        resources.others,
    )
    for kind in kinds:
        yield from kind


def _uses(owner: VirtualService) -> Iterator[Use]:
    for number, route in enumerate(owner.spec.http):
        for place, one in enumerate(route.route):
            yield _use(owner, ("spec", "http", number, "route", place, "destination"), one.destination, http=True)
        if route.mirror or route.mirrors:  # few routes have one
            for path, destination in _mirrors(route):
                yield _use(owner, ("spec", "http", number, *path), destination, http=True)
    for kind, routes in (("tcp", owner.spec.tcp), ("tls", owner.spec.tls)):
        for number, other in enumerate(routes):
            for place, to in enumerate(other.route):
                path = ("spec", kind, number, "route", place, "destination")
                yield _use(owner, path, to.destination, http=False)


def _use(owner: VirtualService, path: FieldPath, destination: Destination, *, http: bool) -> Use:
    return Use(owner, path, destination, fqdn(destination.host, owner.namespace), http)


def _mirrors(route: HTTPRoute) -> list[tuple[FieldPath, Destination]]:
    found: list[tuple[FieldPath, Destination]] = [(("mirror",), route.mirror)] if route.mirror else []
    for number, mirror in enumerate(route.mirrors):
        found.append((("mirrors", number, "destination"), mirror.destination))
    return found


K = TypeVar("K")


def _grouped(pairs: Iterable[tuple[K, T]]) -> dict[K, list[T]]:
    found: dict[K, list[T]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found
