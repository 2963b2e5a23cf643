"""Gateways that graylane makes for entries. Source: Istio, networking/v1 Gateway."""

from meshconfig.backend.manifest import Manifest, Owner
from meshconfig.model import Listener, OwnGateway


def lower(own: OwnGateway, owner: Owner) -> Manifest:
    """An entry's Gateway."""
    spec = {"selector": dict(own.selector), "servers": [_server(one, own.served) for one in own.listeners]}
    return owner.istio("Gateway", own.name, spec)


def _server(listener: Listener, hosts: tuple[str, ...]) -> Manifest:
    protocol = "HTTPS" if listener.tls_mode else "HTTP"
    port = {"number": listener.port, "name": f"{protocol.lower()}-{listener.port}", "protocol": protocol}
    server: Manifest = {"port": port, "hosts": list(hosts)}
    if listener.redirect:
        server["tls"] = {"httpsRedirect": True}
    elif listener.tls_mode:
        server["tls"] = {"mode": listener.tls_mode, "credentialName": listener.credential}
    return server
