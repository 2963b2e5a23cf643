"""A DestinationRule for a host that is neither a Service nor a ServiceEntry."""

from collections.abc import Iterator

from meshconfig.istio import fqdn
from meshconfig.istio.hosts import is_wildcard
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.lint.rules.unknown_destination import hint


def check(index: Index) -> Iterator[Hit]:
    for rule in index.resources.destination_rules if index.shows_hosts else ():
        host = fqdn(rule.spec.host, rule.namespace)
        if not is_wildcard(host) and index.knows_host(host) is False and not index.is_covered(host):
            yield Hit(rule, ("spec", "host"), f"there is no Service or ServiceEntry {host}{hint(index, host)}")


RULE = Rule(
    code="GL103",
    level=Level.WARNING,
    title="A DestinationRule's host does not exist.",
    fix="Name the Service in full, or delete the rule.",
    why="The rule applies to nothing: its subsets and its policy have no effect.",
    istio=("IST0174",),
    kiali=("KIA0202",),
    needs=("Service",),
    resources=check,
)
