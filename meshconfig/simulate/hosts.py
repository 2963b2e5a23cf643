"""Host names: wildcards, which pattern is the more specific, and how Istio resolves the names of Gateways.

Source: istio pkg/config/host, pilot model/config.go.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def is_wildcard(host: str) -> bool:
    return host.startswith("*")


def covers(pattern: str, host: str) -> bool:
    """Is `host`, which may be a wildcard itself, within `pattern`? (Istio's `host.SubsetOf(pattern)`)"""
    if not is_wildcard(pattern):
        return pattern == host
    # Of two wildcards the longer is within the shorter; a host that is none is compared from its first character.
    rest = host[1:] if is_wildcard(host) else host
    return rest.endswith(pattern[1:])


def overlap(first: str, second: str) -> bool:
    """Istio's `Matches`: one is within the other."""
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


def domain_matches(domain: str, host: str) -> bool:
    """Does an Envoy virtual host with this domain take this host? A `*` stands for at least one character."""
    if domain == "*":
        return True
    if is_wildcard(domain):
        return len(host) >= len(domain) and host.endswith(domain[1:])
    return domain == host


def specificity(domain: str) -> tuple[bool, int]:
    """The greater, the more specific: exact before any wildcard, then the longer one."""
    return not is_wildcard(domain), len(domain)


def most_specific(host: str, wildcards: Mapping[str, T]) -> T | None:
    """The value under the longest wildcard that covers a host.

    Source: pilot model/config.go, MostSpecificHostMatch.
    """
    covering = [pattern for pattern in wildcards if covers(pattern, host)]
    return wildcards[max(covering, key=len)] if covering else None


def gateway_name(name: str, namespace: str) -> str:
    """A Gateway's name in a VirtualService as `namespace/name`; `mesh` stays.

    Source: pilot model/config.go, resolveGatewayName.
    """
    if name == "mesh":
        return name
    if "/" in name:
        before, _, after = name.partition("/")
        return f"{namespace}/{after}" if before == "." else name
    if "." in name:
        first, _, rest = name.partition(".")
        return f"{rest.partition('.')[0]}/{first}"
    return f"{namespace}/{name}"


def visible(export_to: Iterable[str], namespace: str, client: str) -> bool:
    """May a proxy in `client` see a resource of `namespace` with this exportTo? Without one, all may."""
    names = set(export_to)
    if not names or "*" in names:
        return True
    return "~" not in names and (client in names or ("." in names and client == namespace))
