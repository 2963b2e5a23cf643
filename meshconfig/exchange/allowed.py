"""Which hosts a runner may reach. A rollout names URLs, and whoever may write ConfigMaps may write a rollout.

Public hosts may be reached by https. Anything else has to be named by the runner's own option: without that, a rollout
could have the runner call a cloud's metadata service, or a Service that only the runner can reach.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from meshconfig.errors import InputError
from meshconfig.exchange.urls import parse_url, shown_url

OPTION = "--allow-host"
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Not public, although `is_global` of some Python versions says so: special-purpose networks of IANA's registries, and
# the address of Azure's platform service, which every virtual machine there reaches.
# Source: https://www.iana.org/assignments/iana-ipv4-special-registry, iana-ipv6-special-registry;
# https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
_SPECIAL = tuple(
    ipaddress.ip_network(one)
    for one in (
        *("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24"),
        *("64:ff9b:1::/48", "100::/64", "3fff::/20", "5f00::/16", "fec0::/10"),
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_SERVICE = re.compile(r"\.svc(\.cluster\.local)?$")


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet. An IPv6 address that holds an IPv4 one is judged by both."""
    if any(address in one for one in _SPECIAL) or address.is_multicast or not address.is_global:
        # `::ffff:8.8.8.8` is not global for Python 3.13, and reaches what 8.8.8.8 reaches.
        inner = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return inner is not None and is_public(inner)
    return all(is_public(one) for one in _inside(address))


def _inside(address: Address) -> list[Address]:
    """The IPv4 addresses to which a mapped, NAT64, 6to4 or Teredo address leads."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found: list[Address | None] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [one for one in found if one is not None]


@dataclass(frozen=True, slots=True)
class Allowed:
    """The hosts and networks that are allowed beside public https hosts, each with a port or for all ports (None)."""

    hosts: frozenset[tuple[str, int | None]] = frozenset()
    networks: frozenset[tuple[Network, int | None]] = frozenset()

    @classmethod
    def of(cls, entries: Iterable[str]) -> "Allowed":
        """Reads `HOST`, `HOST:PORT`, an address, or a network such as `10.0.0.0/8`.

        Raises:
            InputError: an entry is none of these.
        """
        hosts, networks = set(), set()
        for entry in entries:
            host, port = _entry(entry)
            if isinstance(host, str):
                hosts.add((host, port))
            else:
                networks.add((host, port))
        return cls(frozenset(hosts), frozenset(networks))

    def names(self, host: str, port: int) -> bool:
        """Whether a host is named. It may have any address then."""
        return not self.hosts.isdisjoint({(_service(host), port), (_service(host), None)})

    def permits(self, address: Address, port: int, *, tls: bool) -> bool:
        """Whether this address of a host that is not named may be connected to."""
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        here = mapped or address
        if any(here in network and given in (None, port) for network, given in self.networks):
            return True
        return tls and is_public(address)


def _entry(text: str) -> tuple[str | Network, int | None]:
    takes = "takes HOST, HOST:PORT, an address or a network such as 10.0.0.0/8"
    wrong = InputError.at(OPTION, f"{takes}, not {shown_url(text[:80])!r}")
    try:
        return ipaddress.ip_network(text.strip("[]")), None
    except ValueError:
        pass
    if "/" in text or "@" in text or (text.count(":") > 1 and not text.startswith("[")):
        raise wrong
    try:
        url = parse_url(f"http://{text}")
    except ValueError:
        raise wrong from None
    if url.query or "#" in text or "?" in text:
        raise wrong
    port = url.port if re.search(":[0-9]+$", text) else None
    try:
        return ipaddress.ip_network(url.host), port
    except ValueError:
        return _service(url.host), port


def _service(host: str) -> str:
    """One name for the names of a Service: NAME.NAMESPACE, and the same with `.svc` or `.svc.cluster.local`."""
    return _SERVICE.sub("", host)
