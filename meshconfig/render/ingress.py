"""A Kubernetes Ingress in front of the ingress gateway, for clusters whose load balancer ends at an Ingress.

Source: Kubernetes, networking.k8s.io/v1 Ingress. The load balancer ends TLS there and goes on in plain HTTP.
"""

from meshconfig.backend import Manifest, Owner
from meshconfig.errors import InputError
from meshconfig.model import Entry, Model, Name

GATEWAY_SERVICE = "istio-system/istio-ingressgateway"


def ingress(entry: Entry, model: Model, gateway_service: str) -> Manifest:
    """One entry's Ingress, in the namespace of the gateway's Service, as an Ingress must be.

    Parameters:
        gateway_service: `namespace/name` of the Service of the ingress gateway.

    Raises:
        InputError: an entry that ends TLS at the gateway; an Ingress has no way to hand TLS through.
    """
    if entry.own and any(listener.tls_mode for listener in entry.own.listeners):
        raise InputError.at(
            "--ingress",
            f"the entry {entry.resource.name} ends TLS at the gateway, and an Ingress cannot hand TLS through: "
            "take `tls` out of its gateway, or leave --ingress away",
        )
    namespace, service = gateway_service.split("/", 1)
    port = entry.own.listeners[0].port if entry.own else 80
    backend = {"service": {"name": service, "port": {"number": port}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    rules = [{**({} if host == "*" else {"host": host}), "http": {"paths": [path]}} for host in entry.hosts]
    name = Name(namespace, entry.resource.name)
    return Owner(model.group, model.tag).manifest("networking.k8s.io/v1", "Ingress", name, {"rules": rules})
