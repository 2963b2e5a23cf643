"""Whether the proxies that get a route find the subset of its destination, and if not, why.

Pilot looks for the DestinationRule in the caller's namespace, then in the Service's, then in the root namespace.
"""

from collections.abc import Iterable
from enum import Enum
from itertools import islice
from typing import NamedTuple

from meshconfig.istio import DestinationRule
from meshconfig.istio.destination_rules import Selected
from meshconfig.istio.exports import ALL, ROOT_NAMESPACE, namespaces, visible
from meshconfig.istio.gateways import at_gateways, gateway_name, in_mesh
from meshconfig.istio.hosts import is_wildcard, namespace_of
from meshconfig.lint.index import Index, Use

ANYWHERE = ""  # the namespace of a caller of which nothing is known
FEW = 3  # rules that a message names


class Why(Enum):
    """Why a subset is not found."""

    NOWHERE = "no rule has it"
    NOT_IN_FORCE = "another rule is in force"
    NOT_EXPORTED = "the rule is not exported to the caller"
    ELSEWHERE = "the rule is in a namespace in which pilot does not look"


class Unfound(NamedTuple):
    """A destination whose subset some proxies do not find.

    Parameters:
        client: the namespace of such a proxy; `ANYWHERE` for most namespaces.
        rules: the DestinationRules that have the subset; for NOT_IN_FORCE, others of the host, of which one is used in
            their place, and at most one more than `FEW`.
    """

    use: Use
    why: Why
    client: str = ANYWHERE
    rules: tuple[DestinationRule, ...] = ()


def unfound(index: Index) -> list[Unfound]:
    """Every destination whose subset is missing for some proxy. What the input cannot show is left out."""
    proxies = _Proxies(index)
    plain = _found_by_all(index)
    asked = [use for use in index.uses if (name := use.destination.subset) and name not in plain.get(use.host, ())]
    return [found for use in asked if (found := _judged(index, use, proxies))]


def _found_by_all(index: Index) -> dict[str, set[str]]:
    """The subsets, by host, of which nothing more needs to be asked: the host has one rule, which all proxies find."""
    single = [(host, rules[0]) for host, rules in index.destination_rules.items() if len(rules) == 1]
    if any(map(is_wildcard, index.destination_rules)):
        return {}  # a caller's own wildcard goes before the rule of the Service's namespace
    return {host: {one.name for one in rule.spec.subsets} for host, rule in single if _is_for_all(index, rule, host)}


def _judged(index: Index, use: Use, proxies: "_Proxies") -> Unfound | None:
    rules, having = index.rules_of(use.host), index.rules_with(use.host, use.destination.subset)
    if not having:
        return Unfound(use, Why.NOWHERE) if rules or _are_known(index, use) else None
    if len(rules) == len(having) and any(_is_for_all(index, rule, use.host) for rule in having):
        return None
    client = proxies.without(use)
    return None if client is None else _explained(index, use, client, rules, having)


class _Proxies:
    """What the proxies find that get a route. An answer for all routes to one subset of a host is found once."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._selected: dict[tuple[str, str], tuple[Selected, bool]] = {}  # by host and namespace of the proxy
        self._beside_rules: dict[str, list[str]] = {}
        self._without: dict[tuple[str, str], str | None] = {}

    def without(self, use: Use) -> str | None:
        """The namespace of proxies that get the route and do not find the subset; None if there are none.

        At a gateway, namespaces are places where its Pods may run: the subset is missing if it is missing in all.
        """
        owner, host, subset = use.owner, use.host, use.destination.subset
        if not in_mesh(owner.spec.gateways):
            names = (gateway_name(name, owner.namespace) for name in at_gateways(owner.spec.gateways))
            places = (ROOT_NAMESPACE, *(name.partition("/")[0] for name in names), owner.namespace)
            return None if any(self._find(host, subset, place) for place in places) else ROOT_NAMESPACE
        seen = namespaces(owner.spec.export_to, owner.namespace)
        if ALL not in seen:
            return self._first_without(host, subset, sorted(seen))
        served = (namespace for name in owner.spec.hosts if (namespace := namespace_of(name)))
        client = self._first_without(host, subset, (ANYWHERE, *served, owner.namespace))
        return self._beside_a_rule(host, subset) if client is None else client

    def _beside_a_rule(self, host: str, subset: str) -> str | None:
        """The same among the namespaces that have a DestinationRule of the host."""
        if (host, subset) not in self._without:
            self._without[host, subset] = self._first_without(host, subset, self._clients_beside_rules(host))
        return self._without[host, subset]

    def _clients_beside_rules(self, host: str) -> list[str]:
        """These namespaces; of those whose proxies use the same rule the first."""
        if host not in self._beside_rules:
            first: dict[tuple[int, bool], str] = {}
            for client in dict.fromkeys(rule.namespace for rule in self._index.rules_of(host)):
                found, doubt = self._select(host, client)
                first.setdefault((id(found.subsets), doubt), client)
            self._beside_rules[host] = [*first.values()]
        return self._beside_rules[host]

    def _first_without(self, host: str, subset: str, clients: Iterable[str]) -> str | None:
        return next((client for client in clients if not self._find(host, subset, client)), None)

    def _find(self, host: str, subset: str, client: str) -> bool:
        found, doubt = self._select(host, client)
        return doubt or subset in found.subsets

    def _select(self, host: str, client: str) -> tuple[Selected, bool]:
        """The rule in force, and whether that is in doubt."""
        if (host, client) not in self._selected:
            service = self._index.service_namespace(host)
            self._selected[host, client] = self._index.rules_in_force.select(host, service, client, None)
        return self._selected[host, client]


def _are_known(index: Index, use: Use) -> bool:
    """Whether the input would have the DestinationRule of a host, if there were one."""
    if index.in_full(use.host):
        return True
    places = {use.owner.namespace, index.service_namespace(use.host) or use.owner.namespace}
    return all(index.is_given("DestinationRule", place) for place in places)


def _is_for_all(index: Index, rule: DestinationRule, host: str) -> bool:
    """Whether every proxy finds this rule: it is public, and where pilot looks for everybody."""
    public = not rule.spec.export_to or ALL in rule.spec.export_to
    where = rule.namespace in (index.service_namespace(host), ROOT_NAMESPACE)
    return public and where and rule.spec.workload_selector is None


def _explained(
    index: Index, use: Use, client: str, rules: list[DestinationRule], having: list[DestinationRule]
) -> Unfound | None:
    service = index.service_namespace(use.host)
    looked = [rule for rule in having if rule.namespace in (client, service, ROOT_NAMESPACE)]
    if any(visible(rule.spec.export_to, rule.namespace, client) for rule in looked):
        keys = {rule.key for rule in having}
        others = (rule for rule in rules if rule.key not in keys)
        return Unfound(use, Why.NOT_IN_FORCE, client, tuple(islice(others, FEW + 1)))
    if looked:
        return Unfound(use, Why.NOT_EXPORTED, client, tuple(looked))
    if service is None or _is_for_its_own_namespace(use, having):
        return None
    return Unfound(use, Why.ELSEWHERE, client, tuple(having))


def _is_for_its_own_namespace(use: Use, having: list[DestinationRule]) -> bool:
    """Whether rule and route are in one namespace, and for its callers: no host is another namespace's Service."""
    here = use.owner.namespace
    hosts = {namespace_of(host) or here for host in use.owner.spec.hosts}
    return hosts == {here} and all(rule.namespace == here for rule in having)
