"""Which hosts a gRPC target stands for: read as gRPC reads it, since a name that only looks allowed is none.

gRPC, "Naming": a target is a URI of a scheme that gRPC knows; any other text is a name for DNS. Only then are its
percent-codes decoded, once.
"""

import re
from ipaddress import ip_address
from urllib.parse import unquote

_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?://[^/?#]*)?([^?#]*)")
# Of these, the path is HOST[:PORT]. xDS names what a control plane resolves, which is the mesh's own.
_NAMED = ("dns", "xds")
_LISTED = ("ipv4", "ipv6")
# These name no host, or one that somebody else chooses.
_OTHERS = ("unix", "unix-abstract", "vsock", "google-c2p", "google-c2p-experimental")
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_PORT = re.compile(r"[A-Za-z0-9-]*")

Hosts = tuple[str | None, ...]
UNKNOWN: Hosts = (None,)


def hosts_of(target: str) -> Hosts:
    """The hosts of a target, such as "host:port", "dns:///host:port" or "ipv4:10.0.0.1:80,10.0.0.2:80".

    None stands for what is no host, or could be any: a socket, an address with a zone, a text that is no name. A server
    of names before the path (dns://8.8.8.8/host) changes who is asked for the host, not which is meant.
    """
    uri = _URI.match(target)
    scheme = uri[1].lower() if uri else ""
    if uri is None or scheme not in (*_NAMED, *_LISTED, *_OTHERS):
        uri = _URI.match(f"dns:///{target}")
        scheme = "dns"
    if uri is None or scheme in _OTHERS:
        return UNKNOWN
    path = unquote(uri[2]).removeprefix("/")
    return tuple(map(_host, path.split(",") if scheme in _LISTED else [path]))


def _host(address: str) -> str | None:
    """The host of "host", "host:port", "[::1]:port" or a bare IPv6 address."""
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(.*))?", address)
    if bracketed:
        host, port = bracketed[1], bracketed[2] or ""
    elif address.count(":") > 1:
        host, port = address, ""
    else:
        host, _, port = address.partition(":")
    if not _PORT.fullmatch(port):
        return None
    if bracketed or ":" in host:
        return host if _is_address(host) else None
    return host if _NAME.fullmatch(host) else None


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return "%" not in host
