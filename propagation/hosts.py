"""Which hosts may be sent a field: names, `.suffix`, addresses and CIDR networks."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from propagation.errors import ConfigError


class HostRule:
    """Decides by name alone: a CIDR network holds for addresses in the URL, no name is looked up.

    Raises ConfigError for a pattern that could never match, such as one with a port or a scheme.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._names: set[str] = set()
        self._suffixes: tuple[str, ...] = ()
        self._networks: list[IPv4Network | IPv6Network] = []
        for pattern in patterns:
            self._add(pattern.strip().lower().rstrip("."), pattern)

    def _add(self, host: str, pattern: str) -> None:
        if network := _network(host):
            self._networks.append(network)
        elif not host.strip(".") or any(sign in host for sign in "/:*@% "):
            raise ConfigError(
                f"allowed_hosts: {pattern!r} is not a host, a .suffix, an address or a network"
                " (and takes no port and no zone)"
            )
        elif host.startswith("."):
            self._suffixes += (host,)
        else:
            self._names.add(host)

    def allows(self, host: str | None) -> bool:
        """Whether `host`, without port, may be sent the fields. An empty or unknown host may not.

        Neither may an IPv6 address with a zone, which names an interface of this machine, nor a name with any other
        percent sign: a client that decodes it connects to another host.
        """
        name = (host or "").lower().rstrip(".")
        if "%" in name:
            return False
        if name in self._names or (self._suffixes and ":" not in name and name.endswith(self._suffixes)):
            return True
        address = _address(name) if self._networks else None
        return address is not None and any(address in network for network in self._networks)


def host_of(url: str) -> str | None:
    """The host that a client would connect to for `url`; None where there is none or it cannot be read."""
    if any(sign in url for sign in "\\\t\r\n"):
        return None  # parsers disagree about these, so a URL with one could name two hosts
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _network(text: str) -> IPv4Network | IPv6Network | None:
    if "%" in text:
        return None
    try:
        return ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return None


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text.strip("[]"))
    except ValueError:
        return None
