"""A route to a host that is neither a Service nor a ServiceEntry."""

from collections.abc import Iterator

from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for use in index.uses if index.shows_hosts else ():
        if index.knows_host(use.host) is False:
            message = f"there is no Service or ServiceEntry {use.host}{hint(index, use.host)}"
            yield Hit(use.owner, (*use.path, "host"), message)


def hint(index: Index, host: str) -> str:
    """What was meant, perhaps. Istio completes a name without dots only; `cat.demo` is a host of its own to it."""
    if full := index.in_full(host):
        return f"; to Istio a name with a dot is complete: write {full}"
    if index.is_covered(host):
        return "; a ServiceEntry for a wildcard makes no cluster for the hosts within it: add one for this host"
    return index.known_hosts.nearest(host)


RULE = Rule(
    code="GL102",
    level=Level.ERROR,
    title="A route leads to a host that does not exist.",
    fix="Write the Service's full name, NAME.NAMESPACE.svc.cluster.local; an outside host needs a ServiceEntry.",
    why="Envoy has no cluster for it: every request that takes the route is answered 503 (NC).",
    istio=("IST0101",),
    kiali=("KIA1101",),
    needs=("Service",),
    resources=check,
)
