"""A host without dots, which Istio completes by the namespace of whoever names it."""

from collections.abc import Iterator
from typing import Any

from meshconfig.istio import Resource, fqdn
from meshconfig.istio.gateways import in_mesh
from meshconfig.istio.hosts import is_short
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.load import FieldPath


def check(index: Index) -> Iterator[Hit]:
    for owner, path, host in _short(index):
        full = fqdn(host, owner.namespace)
        yield Hit(owner, path, f"{host} is short for {full}, because this resource is in {owner.namespace}")


def _short(index: Index) -> Iterator[tuple[Resource[Any], FieldPath, str]]:
    for use in index.uses:
        if is_short(use.destination.host):
            yield use.owner, (*use.path, "host"), use.destination.host
    for rule in index.resources.destination_rules:
        if is_short(rule.spec.host):
            yield rule, ("spec", "host"), rule.spec.host
    for one in index.resources.virtual_services:
        for number, host in enumerate(one.spec.hosts):
            if is_short(host) and in_mesh(one.spec.gateways):
                yield one, ("spec", "hosts", number), host


RULE = Rule(
    code="GL108",
    level=Level.INFO,
    title="A host is a short name.",
    fix="Write NAME.NAMESPACE.svc.cluster.local.",
    why="Istio completes a short name with the namespace of the resource that contains it, not the Service's: moved to "
    "another namespace, or copied there, the resource means another host.",
    resources=check,
)
