"""The services of a group: versions from subsets, policies from DestinationRules, ports and workloads from the rest."""

import re
from collections.abc import Iterable, Iterator, Mapping

from pydantic import ValidationError

from meshconfig.backend.istio import destination_rule
from meshconfig.importing.group import CannotSayError, Service
from meshconfig.importing.said import Unsaid, ports
from meshconfig.importing.tables import Table
from meshconfig.istio import DestinationRule
from meshconfig.istio.exports import ALL
from meshconfig.istio.hosts import ServiceName, fqdn
from meshconfig.istio.services import KnownService
from meshconfig.istio.types import unmodelled
from meshconfig.model import Target
from meshconfig.simulate import Index
from meshconfig.spec.base import LABEL
from meshconfig.spec.istio_policy import TrafficPolicy

EVERY_POD = "all"  # the version of a service whose routes name no subset


def rules_of(index: Index, name: ServiceName) -> list[DestinationRule]:
    """The DestinationRules of exactly this host in the Service's own namespace: those that a group's rule replaces."""
    rules = (one for one in index.resources.destination_rules if one.namespace == name.namespace)
    return [one for one in rules if fqdn(one.spec.host, one.namespace).lower() == name.host]


def unsaid_rule(rule: DestinationRule) -> Iterator[Unsaid]:
    """What a spec cannot say of a DestinationRule."""
    spec = rule.spec
    for name, given in (("exportTo", set(spec.export_to) - {ALL}), ("workloadSelector", spec.workload_selector)):
        if given:
            yield Unsaid(rule.locate("spec", name), str(rule), f"{name} is not part of a spec")
    for name in unmodelled(spec):
        yield Unsaid(rule.locate("spec", name), str(rule), f"the field {name} is not part of a spec")
    lifted = destination_rule.lift({"metadata": {"name": "", "namespace": ""}, "spec": rule.manifest.get("spec") or {}})
    for number, subset in enumerate(lifted.subsets):
        place = rule.locate("spec", "subsets", number)
        if not re.search(LABEL, subset.name):
            yield Unsaid(place, str(rule), f"the subset {subset.name!r} has no name that a version may have")
        if subset.fields and subset.failover is None:
            yield Unsaid(
                place, str(rule), f"the subset {subset.name} has a policy of its own; a spec has one for a service"
            )
    try:
        TrafficPolicy.model_validate(spec.traffic_policy or {})
    except ValidationError as error:
        for one in error.errors(include_url=False):
            field = ".".join(map(str, one["loc"]))
            yield Unsaid(rule.locate("spec", "trafficPolicy"), str(rule), f"trafficPolicy.{field}: {one['msg']}")


class Services:
    """The services that routes lead to, each made when it is first asked for.

    Parameters:
        blocked: hosts that cannot be services of the group, each with the reason.
    """

    def __init__(self, index: Index, tables: Iterable[Table], blocked: Mapping[str, str]) -> None:
        self.index, self.blocked = index, blocked
        self.found: dict[ServiceName, Service] = {}
        self._ports: dict[str, set[int]] = {}
        self._names: dict[str, str] = {}
        for table in tables:
            for line in table.lines:
                for target in line.route.targets:
                    self._ports.setdefault(target.host, set()).update(ports((target,)))
                    if target.trail:
                        self._names.setdefault(target.host, target.trail.partition("/")[0])

    def named(self, host: str, name: str) -> None:
        """Notes the name by which a group's own routes call a service."""
        self._names.setdefault(host, name)

    def get(self, key: ServiceName) -> Service:
        """A service of the group.

        Raises:
            CannotSayError: it cannot be one, such as for its DestinationRule.
        """
        if key not in self.found:
            if why := self.blocked.get(key.host):
                raise CannotSayError(why)
            self.found[key] = self._made(key)
        return self.found[key]

    def _made(self, key: ServiceName) -> Service:
        known = self.index.registry.get(key.host)
        if known is None:
            raise CannotSayError(f"it leads to {key.host}, and there is no such Service")
        if known.external_name:
            raise CannotSayError(f"it leads to {key.host}, which is an ExternalName")
        one = Service(key, self._name(key), self._port(key, known))
        selected, _ = self.index.rules.select(key.host, key.namespace, key.namespace, {})
        one.traffic_policy = dict(selected.traffic_policy)
        spec = {
            "subsets": [subset.model_dump(by_alias=True, exclude_unset=True) for subset in selected.subsets.values()]
        }
        for subset in destination_rule.lift({"metadata": {"name": "", "namespace": ""}, "spec": spec}).subsets:
            version, _, other = subset.name.partition("-or-")
            if subset.failover and other:
                one.failover[subset.name] = version
                one.fallback_labels[version] = one.fallback_labels[other] = dict(subset.labels)
            elif subset.labels:
                one.versions[subset.name] = dict(subset.labels)
        one.workloads = {
            name: found for name, labels in one.versions.items() if (found := self._deployment(key, labels))
        }
        return one

    def _name(self, key: ServiceName) -> str:
        taken = {one.name for one in self.found.values()}
        wanted = self._names.get(key.host, key.name)
        return wanted if wanted not in taken else f"{wanted}-{key.namespace}"

    def _port(self, key: ServiceName, known: KnownService) -> int:
        ports = self._ports.get(key.host, set())
        if len(ports) > 1:
            raise CannotSayError(f"routes lead to {key.host} on several ports: {', '.join(map(str, sorted(ports)))}")
        if ports:
            return next(iter(ports))
        if known.only_port is not None:
            return known.only_port
        what = (
            "has several ports, and the route names none"
            if known.given
            else "is not given, and no route names its port"
        )
        raise CannotSayError(f"the Service {key.host} {what}")

    def _deployment(self, key: ServiceName, labels: Mapping[str, str]) -> str:
        known = self.index.registry.get(key.host)
        found = self.index.registry.workloads(key.namespace, {**(known.selector if known else {}), **labels}) or ()
        names = [one.name for one in found if one.kind == "Deployment"]
        return names[0] if len(names) == len(found) == 1 else ""

    def version(self, service: Service, target: Target) -> str:
        """The version that a target leads to.

        Raises:
            CannotSayError: the subset is not defined, or nothing says which labels the Service's Pods have.
        """
        if target.port is None and self._ambiguous(service):
            raise CannotSayError(f"a destination names no port, and {service.host} has several")
        if not target.subset:
            return self._every_pod(service)
        if target.subset in service.versions:
            return target.subset
        if target.subset in service.failover:
            raise CannotSayError(
                f"the subset {target.subset} falls back at run time, which only a lane's own route does"
            )
        raise CannotSayError(f"no DestinationRule in force has a subset {target.subset} with labels for {service.host}")

    def _ambiguous(self, service: Service) -> bool:
        known = self.index.registry.get(service.host)
        return known is not None and known.given and len(known.ports or ()) > 1

    def _every_pod(self, service: Service) -> str:
        """The version for a route without a subset: one that has all Pods of the Service, or one made for it."""
        known = self.index.registry.get(service.host)
        if known is None or not known.selector:
            raise CannotSayError(
                f"it leads to all Pods of {service.host}, and nothing says which labels they have: give the Service"
            )
        workloads = self.index.registry.workloads
        every = workloads(service.key.namespace, known.selector)
        for name, labels in service.versions.items():
            if labels == known.selector:
                return name
            if every and workloads(service.key.namespace, {**known.selector, **labels}) == every:
                _once(
                    service.choices,
                    f"Routes without a subset lead to {name}, which has all Pods of {service.key.name}.",
                )
                return name
        name = next(
            one for one in (EVERY_POD, *(f"{EVERY_POD}-{n}" for n in range(2, 99))) if one not in service.versions
        )
        service.versions[name] = dict(known.selector)
        if workload := self._deployment(service.key, known.selector):
            service.workloads[name] = workload
        return name


def _once(found: list[str], one: str) -> None:
    if one not in found:
        found.append(one)
