"""Which VirtualService, DestinationRule or Gateway is meant by a host, as Istio picks among them."""

from collections.abc import Iterable, Iterator

from meshconfig.istio import DestinationRule, VirtualService, fqdn, is_mesh


def by_precedence(services: Iterable[VirtualService], host: str) -> list[VirtualService]:
    """The mesh VirtualServices of a host, the most exact first; Istio takes one, the oldest of several alike."""
    found = [(_exactness(one, host), one) for one in services if is_mesh(one.spec)]
    return [one for exactness, one in sorted(found, key=lambda pair: -pair[0]) if exactness]


def _exactness(service: VirtualService, host: str) -> int:
    names = [fqdn(name, service.namespace) for name in service.spec.hosts]
    return max((len(name) + (name == host) * len(host) for name in names if matches(name, host)), default=0)


def rule_for(rules: Iterable[DestinationRule], host: str) -> DestinationRule | None:
    named = [(fqdn(one.spec.host, one.namespace), one) for one in rules]
    matching = [
        (name == host, len(name), -index, rule) for index, (name, rule) in enumerate(named) if matches(name, host)
    ]
    return max(matching, key=lambda one: one[:3])[3] if matching else None


def matches(pattern: str, host: str) -> bool:
    """Do two hosts, each of which may begin with `*`, have a name in common?"""
    pattern, host = pattern.lower(), host.lower()
    if pattern.startswith("*") and host.startswith("*"):
        return pattern.endswith(host[1:]) or host.endswith(pattern[1:])
    if pattern.startswith("*"):
        return host.endswith(pattern[1:])
    return pattern.endswith(host[1:]) if host.startswith("*") else pattern == host


def intersection(server_hosts: Iterable[str], service: VirtualService, namespace: str) -> Iterator[str]:
    """The hosts of a VirtualService at a Gateway's server: of each pair that meets, the narrower one.

    Source: Istio, host.Names.Intersection.
    """
    allowed = [bare(host) for host in server_hosts if _visible(host, service.namespace, namespace)]
    found: dict[str, None] = {}
    for one in service.spec.hosts:
        for host in allowed:
            if matches(host, one):
                found.setdefault(max(host, one, key=_narrowness).lower())
    return iter(found)


def _narrowness(host: str) -> tuple[bool, int]:
    return not host.startswith("*"), len(host)


def _visible(host: str, mine: str, gateways: str) -> bool:
    """A Gateway's host may say whose VirtualServices it takes: `demo/cat.example.com`, `./…` its own namespace's."""
    namespace, slash, _ = host.partition("/")
    return not slash or namespace in ("*", mine) or (namespace == "." and mine == gateways)


def bare(host: str) -> str:
    return host.rpartition("/")[2]
