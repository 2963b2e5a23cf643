"""Gateways that graylane makes for entries. Source: Gateway API, Gateway."""

from collections.abc import Iterator

from meshconfig.backend.gateway.http_route import HOSTNAMES
from meshconfig.backend.gateway.names import API
from meshconfig.backend.manifest import Manifest, Owner
from meshconfig.model import Listener, Name, OwnGateway

# istiod's option for a client's certificate, which the standard channel has no field of a listener for.
# Source: istio/istio pilot/pkg/config/kube/gatewaycommon/gateway_utils.go.
_TERMINATE_MODE = "gateway.istio.io/tls-terminate-mode"


def lower(own: OwnGateway, owner: Owner) -> list[Manifest]:
    """An entry's Gateway, and the HTTPRoute that redirects plain requests, where the entry asks for one.

    A listener has the host of an entry with one host. Otherwise it takes any, and the HTTPRoutes' hosts decide: a
    Gateway may have 64 listeners.
    """
    hosts = [host for host in own.hosts if host != "*"]
    alone = {"hostname": hosts[0]} if len(own.hosts) == len(hosts) == 1 else {}
    listeners = [_listener(one, alone) for one in own.listeners]
    spec = {"gatewayClassName": own.class_name, "listeners": listeners}
    return [owner.manifest(f"{API}/v1", "Gateway", own.name, spec), *_redirects(own, hosts, owner)]


def _listener(one: Listener, host: Manifest) -> Manifest:
    protocol = "HTTPS" if one.tls_mode else "HTTP"
    found: Manifest = {"name": listener_name(one), **host, "port": one.port, "protocol": protocol}
    if one.tls_mode:
        options = {"options": {_TERMINATE_MODE: one.tls_mode}} if one.tls_mode != "SIMPLE" else {}
        found["tls"] = {"mode": "Terminate", "certificateRefs": [{"name": one.credential}], **options}
    return found


def listener_name(one: Listener) -> str:
    """The name of a listener: `https`, `http`, or `redirect` for one that sends clients to https."""
    return "https" if one.tls_mode else "redirect" if one.redirect else "http"


def _redirects(own: OwnGateway, hosts: list[str], owner: Owner) -> Iterator[Manifest]:
    for one in (each for each in own.listeners if each.redirect):
        filters = [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}]
        named = {"hostnames": hosts} if len(own.hosts) == len(hosts) <= HOSTNAMES else {}
        parent = {"group": API, "kind": "Gateway", "name": own.name.name, "sectionName": listener_name(one)}
        spec = {"parentRefs": [parent], **named, "rules": [{"name": "to-https", "filters": filters}]}
        name = Name(own.name.namespace, f"{own.name.name}.https")
        yield owner.manifest(f"{API}/v1", "HTTPRoute", name, spec)
