"""One HTTP request, as it reaches the proxy that decides about it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Pairs = tuple[tuple[str, str], ...]

ANY_GATEWAY = "*"  # whichever Gateway serves the request's host and port


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request and where it is sent from.

    Parameters:
        host: the authority as the client writes it, with or without a port (`cat-svc`, `cat.example.com:8080`).
        path: the path with its query.
        headers: (name, value) in the order sent; a name may occur more than once. Names in any case.
        gateway: the Gateway (`namespace/name`) it arrives at, or `ANY_GATEWAY`; None when a sidecar sends it.
        source_namespace: the namespace of the sending Pod; at a gateway, of the gateway's Pods (empty: as found there).
        source_labels: the labels of that Pod; None when they are not known.
        port: the Service's port that is called, or the Gateway's; None takes the host's own port, or the scheme's.
        claims: the payload of the verified JWT, for `@request.auth.claims.` matches; None when it is not known.
    """

    host: str
    path: str = "/"
    method: str = "GET"
    headers: Iterable[tuple[str, str]] = ()
    gateway: str | None = None
    source_namespace: str = ""
    source_labels: Mapping[str, str] | None = field(default=None, hash=False)
    port: int | None = None
    scheme: str = "http"
    claims: Mapping[str, Any] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        # A codec does the same: names in lower case, no space around a value.
        headers = tuple((name.lower(), value.strip(" \t")) for name, value in self.headers)
        object.__setattr__(self, "headers", headers)

    @property
    def pairs(self) -> Pairs:
        """The headers with their names in lower case."""
        return self.headers  # type: ignore[return-value]  # __post_init__ has made them so

    @property
    def authority_host(self) -> str:
        """The host alone: lower case, without the port and the final dot."""
        return split_port(self.host)[0].lower()

    @property
    def authority_port(self) -> int | None:
        return split_port(self.host)[1]

    def values(self, name: str) -> list[str]:
        """Every value of a header, pseudo headers included; empty when it is absent."""
        name = name.lower()
        pseudo = {
            ":method": self.method,
            ":path": self.path,
            ":authority": self.host,
            "host": self.host,
            ":scheme": self.scheme,
        }
        if name in pseudo:
            return [pseudo[name]]
        return [value for key, value in self.pairs if key == name]


def split_port(authority: str) -> tuple[str, int | None]:
    """The host and the port of an authority."""
    host, colon, port = authority.rpartition(":")
    if colon and port.isdigit() and not host.endswith(":") and (":" not in host or host.endswith("]")):
        return host, int(port)
    return authority, None
