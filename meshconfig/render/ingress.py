"""Ingresses in front of the ingress gateway, for clusters whose load balancer is configured by an Ingress.

The load balancer terminates TLS and sends plain HTTP on. Source: Kubernetes, networking.k8s.io/v1 Ingress.
"""

from meshconfig.backend import Manifest, Owner
from meshconfig.errors import InputError
from meshconfig.model import Entry, Model, Name

GATEWAY_SERVICE = "istio-system/istio-ingressgateway"


def ingress(entry: Entry, model: Model, gateway_service: str) -> Manifest:
    """One entry's Ingress. It is in the namespace of the gateway's Service, because an Ingress can name no other.

    Parameters:
        gateway_service: `namespace/name` of the Service of the ingress gateway.

    Raises:
        InputError: the entry terminates TLS at the gateway; an Ingress cannot pass TLS through. Or the gateway is not
            the one that `gateway_service` leads to.
    """
    if model.backend == "gateway" and gateway_service == GATEWAY_SERVICE:
        raise InputError.at(
            "--ingress",
            "leads to Istio's ingress gateway, and a Gateway of the Gateway API has Pods of its own: "
            "name their Service by --ingress-service, such as demo/shop-example-com-istio",
        )
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
    # Of an Ingress a wildcard stands for one label, of a Gateway for several: it may cover less here than there.
    lanes = entry.own.lanes if entry.own else [one.host for one in entry.lane_hosts]
    hosts = dict.fromkeys([*entry.hosts, *lanes])
    rules = [{**({} if host == "*" else {"host": host}), "http": {"paths": [path]}} for host in hosts]
    name = Name(namespace, entry.resource.name)
    return Owner(model.group, model.tag).manifest("networking.k8s.io/v1", "Ingress", name, {"rules": rules})
