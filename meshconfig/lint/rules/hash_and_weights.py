"""Weights among versions of a host that is balanced by a hash."""

from collections.abc import Iterator, Mapping

from meshconfig.istio import DestinationRule, fqdn
from meshconfig.istio.destinations import weighted
from meshconfig.istio.hosts import wildcards
from meshconfig.istio.policies import effective
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index, Use
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    hashed = {found for rule in index.resources.destination_rules for found in _hashed(rule)}
    told: set[tuple[int, object]] = set()
    for use in index.uses if hashed else ():
        key = (id(use.owner), use.path[2])
        if key in told or not use.http or use.path[3] != "route" or not _is_drawn(use):
            continue
        if any((name, use.destination.subset) in hashed for name in (use.host, *wildcards(use.host))):
            told.add(key)
            message = f"{use.host} has consistentHash, which acts within the version that the weights have drawn"
            yield Hit(use.owner, ("spec", "http", use.path[2], "route"), message)


def _is_drawn(use: Use) -> bool:
    """Whether the weights of its route draw among several subsets."""
    route = use.owner.spec.http[int(use.path[2])].route
    return len(route) > 1 and len({one.destination.subset for _, one in weighted(route)}) > 1


def _hashed(rule: DestinationRule) -> Iterator[tuple[str, str]]:
    """The rule's host in full, with each subset that is balanced by a hash."""
    for subset in rule.spec.subsets:
        if not rule.spec.traffic_policy and not subset.traffic_policy:
            continue
        balancer = effective(rule.spec.traffic_policy, subset).get("loadBalancer")
        if isinstance(balancer, Mapping) and balancer.get("consistentHash"):
            yield fqdn(rule.spec.host, rule.namespace), subset.name


RULE = Rule(
    code="GL223",
    level=Level.INFO,
    title="A route with weights leads to a host with consistentHash.",
    fix="To keep a user on one version, choose it by a header or a cookie in match, or give the entry sticky.",
    why="Envoy draws the version anew for each request, and hashes among that version's Pods only: a user changes "
    "between versions.",
    needs=("DestinationRule",),
    resources=check,
)
