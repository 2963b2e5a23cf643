"""Gateways that graylane makes for entries. Source: Gateway API, Gateway."""

from collections.abc import Iterator

from meshconfig.backend.gateway.names import API
from meshconfig.backend.manifest import Manifest, Owner
from meshconfig.backend.refused import UnsupportedError
from meshconfig.istio.hosts import EVERY_HOST, covers
from meshconfig.model import HOSTNAMES, Listener, Name, OwnGateway

# istiod's option for a client's certificate, which the standard channel has no field of a listener for.
# Source: istio/istio pilot/pkg/config/kube/gatewaycommon/gateway_utils.go.
LISTENERS = 64
REDIRECTS = ".https"  # ends the name of an HTTPRoute that sends clients to https
_TERMINATE_MODE = "gateway.istio.io/tls-terminate-mode"


def lower(own: OwnGateway, owner: Owner) -> list[Manifest]:
    """An entry's Gateway, and the HTTPRoute that redirects plain requests, where the entry asks for one.

    Each port has a listener for each host, and one for all hosts of lanes: a Gateway may have 64 listeners.

    Raises:
        UnsupportedError: the entry has more hosts than that.
    """
    hosts = _hosts(own)
    if len(own.listeners) * len(hosts) > LISTENERS:
        message = f"a Gateway has at most {LISTENERS} listeners, and each host needs one: write a wildcard"
        raise UnsupportedError(None, message, own.origin)
    listeners = [_listener(one, host, number) for one in own.listeners for number, host in enumerate(hosts, start=1)]
    spec = {"gatewayClassName": own.class_name, "listeners": listeners}
    return [owner.manifest(f"{API}/v1", "Gateway", own.name, spec), *_redirects(own, hosts, owner)]


def _hosts(own: OwnGateway) -> list[str]:
    """The hosts of listeners: the wildcard of the lanes stands for all that it covers, as a Gateway may have 64."""
    if EVERY_HOST in own.hosts:
        return [EVERY_HOST]
    return [*(host for host in own.hosts if not any(covers(one, host) for one in own.lanes)), *own.lanes]


def _listener(one: Listener, host: str, number: int) -> Manifest:
    protocol = "HTTPS" if one.tls_mode else "HTTP"
    name = listener_name(one)
    found: Manifest = {"name": name if number == 1 else f"{name}-{number}"}
    found |= {"hostname": host} if host != EVERY_HOST else {}
    found |= {"port": one.port, "protocol": protocol}
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
        named = {"hostnames": hosts} if EVERY_HOST not in hosts and len(hosts) <= HOSTNAMES else {}
        parent = {"group": API, "kind": "Gateway", "name": own.name.name, "port": one.port}
        spec = {"parentRefs": [parent], **named, "rules": [{"name": "to-https", "filters": filters}]}
        name = Name(own.name.namespace, f"{own.name.name}{REDIRECTS}")
        yield owner.manifest(f"{API}/v1", "HTTPRoute", name, spec)
