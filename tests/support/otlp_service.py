"""A Service of a cluster that leads to this machine, where a test receives access logs."""

import socket

from mesh_cluster import Manifest, gateway_address
from mesh_namespace import manifest

NAME = "graylane-otlp"


def otlp_service(namespace: str, port: int) -> list[Manifest]:
    """As the mesh's `extensionProviders` names it."""
    host, _, of_gateway = gateway_address().rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
        route.connect((host, int(of_gateway)))
        own = route.getsockname()[0]
    ports = [{"name": "grpc", "port": port}]
    ends = manifest(namespace, "discovery.k8s.io/v1", "EndpointSlice", NAME, ports=ports, addressType="IPv4")
    ends["metadata"]["labels"] = {"kubernetes.io/service-name": NAME}
    return [
        manifest(namespace, "v1", "Service", NAME, spec={"ports": ports}),
        {**ends, "endpoints": [{"addresses": [own], "conditions": {"ready": True}}]},
    ]
