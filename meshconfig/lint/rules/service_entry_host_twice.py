"""A host in two ServiceEntries."""

from collections.abc import Iterator

from meshconfig.istio.exports import meet, namespaces
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for host, every in index.service_entries.items():
        first = every[0]
        for one in every[1:]:
            if meet(*(namespaces(each.spec.export_to, each.namespace) for each in (first, one))):
                yield Hit(one, ("spec", "hosts", one.spec.hosts.index(host)), f"{first} has {host} too")


RULE = Rule(
    code="GL618",
    level=Level.WARNING,
    title="Two ServiceEntries have one host.",
    fix="Keep one of them; that of a service with `external` is graylane's.",
    why="istiod makes one cluster of a host and port, of the endpoints and the port's settings of one of the two or of "
    "both. Which ones depends on their namespaces and ages, so that requests may go to another port or without TLS.",
    needs=("ServiceEntry",),
    resources=check,
)
