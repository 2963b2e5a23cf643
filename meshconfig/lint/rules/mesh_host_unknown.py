"""A host of a VirtualService of the mesh that no Service has."""

from collections.abc import Iterator

from meshconfig.istio import VirtualService
from meshconfig.istio.gateways import in_mesh
from meshconfig.istio.hosts import is_wildcard, namespace_of
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index, hosts_in_full
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for owner, _, uses in index.uses_by_owner:
        if not in_mesh(owner.spec.gateways):
            continue
        hosts = enumerate(hosts_in_full(owner))
        wrong = [(number, host, why) for number, host in hosts if (why := _wrong(index, owner, host))]
        destinations = {use.host for use in uses} if wrong else set()
        for number, host, why in wrong:
            if host not in destinations:  # of a destination GL102 says so
                yield Hit(owner, ("spec", "hosts", number), why)


def _wrong(index: Index, owner: VirtualService, host: str) -> str:
    if is_wildcard(host) or index.knows_host(host):
        return ""
    if full := index.in_full(host):
        # The name in full is beside it: then the short spelling is only superfluous.
        spelt = full in hosts_in_full(owner)
        return "" if spelt else f"to Istio {host} is a host of its own, and callers of {full} never get these routes"
    if namespace_of(host) and index.knows_host(host) is False:
        near = index.known_hosts.nearest(host)
        return f"there is no Service {host}: its name resolves nowhere, and Istio has its routes on port 80 only{near}"
    return ""


RULE = Rule(
    code="GL112",
    level=Level.WARNING,
    title="A VirtualService between services has a host that is no Service.",
    fix="Write the Service's full name, NAME.NAMESPACE.svc.cluster.local, or create the Service.",
    why="Sidecars use a VirtualService for the Service that is its host. Without that Service nothing asks its routes.",
    needs=("VirtualService",),
    resources=check,
)
