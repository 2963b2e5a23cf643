"""`services.X.external`: a service outside the mesh, whose versions are hosts, such as a real one and a sandbox."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints
from pydantic.alias_generators import to_camel

from meshconfig.istio.hosts import CLUSTER_DOMAIN
from meshconfig.spec.base import PortNumber, Strict, said

if TYPE_CHECKING:
    from meshconfig.spec.group import ServiceSpec, Version

GATEWAY_NAME = said(
    r"^[a-z0-9][-a-z0-9]*/[a-z0-9][-a-z0-9.]*$", "NAMESPACE/NAME of a Gateway, such as istio-system/shop"
)
_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_OUTSIDE = said(
    rf"^{_LABEL}(\.{_LABEL})+$",
    "a host outside the mesh, such as sandbox.pay.example.com, in lower case, without http://, *, port and path",
)
OutsideHost = Annotated[str, StringConstraints(pattern=_OUTSIDE, max_length=253)]
_FILE = said(r"^/\S+$", "the path of a file in the proxy's container, such as /etc/ssl/certs/ca-certificates.crt")
_EGRESS_SERVICE = said(
    rf"^{_LABEL}\.{_LABEL}$", "SERVICE.NAMESPACE of the egress gateway, such as istio-egressgateway.istio-system"
)
_IP = re.compile(r"[0-9]+(\.[0-9]+){3}")
_HTTP, _HTTPS = 80, 443


class Egress(Strict):
    """The gateway that requests leave the mesh by: its Gateway, and the Service and port of its Pods."""

    gateway: Annotated[str, StringConstraints(pattern=GATEWAY_NAME)]
    service: Annotated[str, StringConstraints(pattern=_EGRESS_SERVICE)] = "istio-egressgateway.istio-system"
    port: PortNumber = _HTTP

    @property
    def host(self) -> str:
        """The host of the gateway's Service, fully qualified."""
        return f"{self.service}.{CLUSTER_DOMAIN}"


def _named(value: Any) -> Any:
    return {"gateway": value} if isinstance(value, str) else value


class External(Strict):
    """How proxies reach a service outside the mesh: the port of its hosts, and whether proxies make TLS of the calls.

    `port`: 443 with `tls`, else 80. `caCertificates`: a file in the proxy's container; default: its system's.
    """

    port: PortNumber | None = None
    tls: Literal["SIMPLE"] | None = None
    ca_certificates: Annotated[str, StringConstraints(pattern=_FILE)] | None = None
    egress: Annotated[Egress, BeforeValidator(_named, json_schema_input_type=str | Egress)] | None = Field(default=None)

    @property
    def target_port(self) -> int:
        """The port of its hosts."""
        return self.port or (_HTTPS if self.tls else _HTTP)


def why_not_outside(host: str) -> str | None:
    """Why a host can be none outside the mesh; None where it can."""
    if _IP.fullmatch(host):
        return f"{host} is an IP address, which no certificate and no Host header names: write a host"
    if "." not in host or host.endswith((".svc", f".{CLUSTER_DOMAIN}")):
        return f"{host} is a name inside the cluster: leave external away, and give each version its labels"
    return None


def wrong_fields(spec: "ServiceSpec") -> Iterator[str]:
    """What does not fit together in a service's fields: those of hosts outside the mesh, and those of Pods."""
    if spec.external is None:
        if hosts := [name for name, one in spec.versions.items() if one.host]:
            yield f"version {hosts[0]} has a host: give the service external too, such as {{port: 443, tls: SIMPLE}}"
        return
    yield from _versions(spec.versions)
    if spec.external.ca_certificates and not spec.external.tls:
        yield "external: caCertificates has no effect without tls: SIMPLE"
    if spec.external.tls and "tls" in spec.traffic_policy:
        yield "external.tls and trafficPolicy.tls are both given: keep one of them"
    for name in ("calls", "carries", "mirror", "protocol", "selector", "target_port"):
        if name in spec.model_fields_set:
            yield f"{to_camel(name)} has no meaning for a service outside the mesh: leave it away"


def _versions(versions: "Mapping[str, Version]") -> Iterator[str]:
    if bare := [name for name, one in versions.items() if not one.host]:
        yield f"version {bare[0]} of a service with external needs host, its name outside the mesh"
