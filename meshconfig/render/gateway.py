"""Gateways of entries that bring their own. Source: Istio, networking/v1 Gateway."""

from meshconfig.model import Entry, Listener, Model, OwnGateway
from meshconfig.render.common import IstioApi, Manifest, istio


def gateway(own: OwnGateway, entry: Entry, model: Model, api: IstioApi) -> Manifest:
    spec = {"selector": dict(own.selector), "servers": [_server(one, entry.hosts) for one in own.listeners]}
    return istio("Gateway", model, own.name, entry.namespace, spec, api)


def _server(listener: Listener, hosts: tuple[str, ...]) -> Manifest:
    protocol = "HTTPS" if listener.tls_mode else "HTTP"
    port = {"number": listener.port, "name": f"{protocol.lower()}-{listener.port}", "protocol": protocol}
    server: Manifest = {"port": port, "hosts": list(hosts)}
    if listener.redirect:
        server["tls"] = {"httpsRedirect": True}
    elif listener.tls_mode:
        server["tls"] = {"mode": listener.tls_mode, "credentialName": listener.credential}
    return server
