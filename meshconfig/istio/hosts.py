"""Host names: short and full ones, a Service's own, wildcards, and which pattern is the more specific.

Source: istio pkg/config/host (Name), pilot model/config.go (ResolveShortnameToFQDN, MostSpecificHostMatch).
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

CLUSTER_DOMAIN = "svc.cluster.local"
EVERY_HOST = "*"

T = TypeVar("T")


class ServiceName(NamedTuple):
    """A Kubernetes Service."""

    name: str
    namespace: str

    @property
    def host(self) -> str:
        """Its host in full: `cat.demo.svc.cluster.local`."""
        return f"{self.name}.{self.namespace}.{CLUSTER_DOMAIN}"


def is_short(host: str) -> bool:
    """True for a name that Istio completes: one without dots that is neither `*` nor an IPv6 address."""
    return bool(host) and "." not in host and ":" not in host and host != EVERY_HOST


def fqdn(host: str, namespace: str) -> str:
    """A host as Istio resolves it: a short name is a Service of the resource's own namespace.

    Source: Istio, Destination.host ("short names ... interpreted based on the namespace of the rule").
    """
    return ServiceName(host, namespace).host if is_short(host) else host


def fqdns(hosts: Iterable[str], namespace: str) -> tuple[str, ...]:
    """Each host of a resource in full and in lower case, as Envoy compares them."""
    return tuple(fqdn(host, namespace).lower() for host in hosts)


@lru_cache(maxsize=65536)
def service_name(host: str) -> ServiceName | None:
    """The Service that a full host belongs to; None for a host that is no Service of this cluster."""
    head = host.removesuffix(f".{CLUSTER_DOMAIN}")
    name, _, namespace = head.partition(".")
    if head == host or not name or not namespace or "." in namespace or is_wildcard(name):
        return None
    return ServiceName(name, namespace)


def namespace_of(host: str) -> str | None:
    """The namespace of `name.namespace.svc.cluster.local`; None for any other host."""
    found = service_name(host)
    return found.namespace if found else None


def is_wildcard(host: str) -> bool:
    return host.startswith("*")


def wildcards(host: str) -> Iterator[str]:
    """The patterns that a host falls under besides its own name, the longest first: `*.b.c`, `*.c`, `*`."""
    rest = host.removeprefix("*.")
    while "." in rest:
        rest = rest.split(".", 1)[1]
        yield f"*.{rest}"
    yield EVERY_HOST


def covers(pattern: str, host: str) -> bool:
    """True where `pattern` includes `host`, which may be a wildcard itself (Istio: `host.SubsetOf(pattern)`)."""
    if not is_wildcard(pattern):
        return pattern == host
    # Of two wildcards the longer is within the shorter; a host that is none is compared from its first character.
    rest = host[1:] if is_wildcard(host) else host
    return rest.endswith(pattern[1:])


def overlap(first: str, second: str) -> bool:
    """True where one of two hosts includes the other (Istio: `Matches`)."""
    return covers(first, second) or covers(second, first)


def intersection(ours: Iterable[str], theirs: Sequence[str]) -> list[str]:
    """The hosts of either that are within one of the other."""
    result: dict[str, None] = {}
    for host in ours:
        for other in theirs:
            if covers(other, host):
                result.setdefault(host)
            elif covers(host, other):
                result.setdefault(other)
    return list(result)


class HostMap(Generic[T]):
    """Values by hosts and wildcards, found by the hosts that overlap with them, without a look at all others."""

    def __init__(self, pairs: Iterable[tuple[str, T]]) -> None:
        self._exact: dict[str, list[T]] = {}
        self._endings: dict[str, list[T]] = {}
        self._reversed: list[tuple[str, int]] = []
        self._values: list[T] = []
        for host, value in pairs:
            names, name = (self._endings, host[1:]) if is_wildcard(host) else (self._exact, host)
            names.setdefault(name, []).append(value)
            self._reversed.append((name[::-1], len(self._values)))
            self._values.append(value)
        self._reversed.sort()

    def overlapping(self, host: str) -> Iterator[T]:
        """The values whose host includes this one, or the other way round; one may come several times."""
        if not is_wildcard(host):
            yield from self._exact.get(host, ())
        rest = host[1:] if is_wildcard(host) else host
        for start in range(len(rest) + 1) if self._endings else ():
            yield from self._endings.get(rest[start:], ())
        if is_wildcard(host):
            ending = rest[::-1]
            for name, number in self._reversed[bisect_left(self._reversed, (ending, -1)) :]:
                if not name.startswith(ending):
                    break
                yield self._values[number]


def domain_matches(domain: str, host: str) -> bool:
    """True where an Envoy virtual host with this domain takes this host. A `*` is at least one character."""
    if domain == EVERY_HOST:
        return True
    if is_wildcard(domain):
        return len(host) >= len(domain) and host.endswith(domain[1:])
    return domain == host


def specificity(domain: str) -> tuple[bool, int]:
    """A sort key: an exact host is greater than any wildcard, a longer host is greater than a shorter one."""
    return not is_wildcard(domain), len(domain)


def covering(host: str, patterns: Iterable[str]) -> list[str]:
    """Of some wildcards, those that cover a host, the most specific first."""
    return sorted((pattern for pattern in patterns if covers(pattern, host)), key=len, reverse=True)


def wildcards_above(host: str) -> Iterator[str]:
    """Every wildcard that covers a host, the most specific first. To Istio a `*` may stand for a part of a label.

    Source: pilot model/config.go, MostSpecificHostMatch.
    """
    rest = host[1:] if is_wildcard(host) else host
    return (f"*{rest[start:]}" for start in range(len(rest) + 1))
