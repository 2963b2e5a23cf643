"""One HTTP request, as it reaches the proxy that routes it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Pairs = tuple[tuple[str, str], ...]

ANY_GATEWAY = "*"  # the first Gateway that serves the request's host and port


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request and its sender.

    Parameters:
        host: the authority as the client writes it, with or without a port (`cat-svc`, `cat.example.com:8080`).
        path: the path with its query.
        method: the HTTP method in capitals.
        headers: (name, value) pairs in the order sent. A name may occur more than once and in any case.
        gateway: the Gateway (`namespace/name`) that the request arrives at, or `ANY_GATEWAY`; None for a request that
            a sidecar sends.
        source_namespace: the namespace of the sending Pod, or of the gateway's Pods. At a gateway it may be empty;
            then the namespace comes from the resources.
        source_labels: the labels of that Pod; None when they are not known.
        port: the port of the Service or the Gateway; None means the port in `host`, or the scheme's default, or where
            that is not served, the only one that is.
        scheme: `http` or `https`.
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
        # Envoy's HTTP codec does the same: it lower-cases names and strips spaces around values.
        headers = tuple((name.lower(), value.strip(" \t")) for name, value in self.headers)
        object.__setattr__(self, "headers", headers)

    @property
    def pairs(self) -> Pairs:
        """The headers with their names in lower case."""
        return self.headers  # type: ignore[return-value]  # __post_init__ has made them so

    @property
    def authority_host(self) -> str:
        """The host of the authority in lower case, without the port."""
        return split_port(self.host)[0].lower()

    @property
    def authority_port(self) -> int | None:
        return split_port(self.host)[1]

    def values(self, name: str) -> list[str]:
        """Every value of a header or a pseudo header; empty when the header is absent."""
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
    """The host and the port of an authority; the port is None where it has none."""
    host, colon, port = authority.rpartition(":")
    if colon and port.isdigit() and not host.endswith(":") and (":" not in host or host.endswith("]")):
        return host, int(port)
    return authority, None
