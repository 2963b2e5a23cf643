"""Whether the proxies that get a route find the subset of its destination, and if not, why.

Pilot looks for the DestinationRule in the caller's namespace, then in the Service's, then in the root namespace.
"""

from enum import Enum
from typing import NamedTuple

from meshconfig.istio import DestinationRule
from meshconfig.istio.destination_rules import Selected
from meshconfig.istio.exports import ALL, ROOT_NAMESPACE, namespaces, visible
from meshconfig.istio.gateways import at_gateways, gateway_name, in_mesh
from meshconfig.istio.hosts import is_wildcard, namespace_of
from meshconfig.lint.index import Index, Use

Known = dict[
    tuple[str, str], tuple[Selected, bool]
]  # host and client → the rule in force, and whether that is in doubt

ANYWHERE = ""  # the namespace of a caller of which nothing is known


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
        rules: the DestinationRules that have the subset; for NOT_IN_FORCE, the one that is used in their place.
    """

    use: Use
    why: Why
    client: str = ANYWHERE
    rules: tuple[DestinationRule, ...] = ()


def unfound(index: Index) -> list[Unfound]:
    """Every destination whose subset is missing for some proxy. What the input cannot show is left out."""
    known: Known = {}
    plain = _found_by_all(index)
    asked = [use for use in index.uses if (name := use.destination.subset) and name not in plain.get(use.host, ())]
    return [found for use in asked if (found := _judged(index, use, known))]


def _found_by_all(index: Index) -> dict[str, set[str]]:
    """The subsets, by host, of which nothing more needs to be asked: the host has one rule, which all proxies find."""
    single = [(host, rules[0]) for host, rules in index.destination_rules.items() if len(rules) == 1]
    if any(map(is_wildcard, index.destination_rules)):
        return {}  # a caller's own wildcard goes before the rule of the Service's namespace
    return {host: {one.name for one in rule.spec.subsets} for host, rule in single if _is_for_all(index, rule, host)}


def _judged(index: Index, use: Use, known: Known) -> Unfound | None:
    rules, having = index.rules_of(use.host), index.rules_with(use.host, use.destination.subset)
    if not having:
        return Unfound(use, Why.NOWHERE) if rules or _are_known(index, use) else None
    if len(rules) == len(having) and any(_is_for_all(index, rule, use.host) for rule in having):
        return None
    missing = [client for client in _clients(use, rules) if not _finds(index, use, client, known)]
    if not missing or (not in_mesh(use.owner.spec.gateways) and len(missing) < len(_clients(use, rules))):
        return None
    return _explained(index, use, missing[0], rules, having)


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


def _clients(use: Use, rules: list[DestinationRule]) -> list[str]:
    """The namespaces of the proxies that get the route, as far as it matters.

    At a gateway these are places where its Pods may run: the subset is missing if it is missing in all of them.
    """
    owner = use.owner
    if not in_mesh(owner.spec.gateways):
        gateways = (gateway_name(name, owner.namespace).partition("/")[0] for name in at_gateways(owner.spec.gateways))
        return list(dict.fromkeys([ROOT_NAMESPACE, *gateways, owner.namespace]))
    seen = namespaces(owner.spec.export_to, owner.namespace)
    if ALL not in seen:
        return sorted(seen)
    served = [namespace for host in owner.spec.hosts if (namespace := namespace_of(host))]
    return list(dict.fromkeys([ANYWHERE, *served, owner.namespace, *(rule.namespace for rule in rules)]))


def _finds(index: Index, use: Use, client: str, known: Known) -> bool:
    key = (use.host, client)
    if key not in known:
        known[key] = index.rules_in_force.select(use.host, index.service_namespace(use.host), client, None)
    found, doubt = known[key]
    return doubt or use.destination.subset in found.subsets


def _explained(
    index: Index, use: Use, client: str, rules: list[DestinationRule], having: list[DestinationRule]
) -> Unfound | None:
    service = index.service_namespace(use.host)
    looked = [rule for rule in having if rule.namespace in (client, service, ROOT_NAMESPACE)]
    if any(visible(rule.spec.export_to, rule.namespace, client) for rule in looked):
        others = tuple(rule for rule in rules if rule not in having)
        return Unfound(use, Why.NOT_IN_FORCE, client, others)
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
