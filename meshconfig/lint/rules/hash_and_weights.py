"""Weights among versions of a host that is balanced by a hash."""

from collections.abc import Iterator, Mapping
from typing import Any

from meshconfig.istio import DestinationRule
from meshconfig.istio.destinations import weighted
from meshconfig.istio.policies import effective
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index, Use
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    told: set[tuple[int, object]] = set()
    for use in index.uses:
        key = (id(use.owner), use.path[2])
        if use.http and use.path[3] == "route" and key not in told and _is_drawn(use) and _is_hashed(index, use):
            told.add(key)
            message = f"{use.host} has consistentHash, which acts within the version that the weights have drawn"
            yield Hit(use.owner, ("spec", "http", use.path[2], "route"), message)


def _is_drawn(use: Use) -> bool:
    """Whether the weights of its route draw among several subsets."""
    route = use.owner.spec.http[int(use.path[2])].route
    return len(route) > 1 and len({one.destination.subset for _, one in weighted(route)}) > 1


def _is_hashed(index: Index, use: Use) -> bool:
    return any(_hashes(rule, use.destination.subset) for rule in index.rules_of(use.host))


def _hashes(rule: DestinationRule, name: str) -> bool:
    subset = next((one for one in rule.spec.subsets if one.name == name), None)
    balancer: Mapping[str, Any] | Any = effective(rule.spec.traffic_policy, subset).get("loadBalancer")
    return isinstance(balancer, Mapping) and bool(balancer.get("consistentHash"))


RULE = Rule(
    code="GL223",
    level=Level.INFO,
    title="A route with weights leads to a host with consistentHash.",
    fix="To keep a user on one version, choose it by a header or a cookie in match, not by weights.",
    why="Envoy draws the version anew for each request, and hashes among that version's Pods only: a user changes "
    "between versions.",
    needs=("DestinationRule",),
    resources=check,
)
