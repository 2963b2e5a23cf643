"""ServiceEntries of hosts outside the mesh. Source: Istio, networking/v1 ServiceEntry."""

from meshconfig.backend.manifest import Manifest, Owner
from meshconfig.model import OutsideHost


def lower(one: OutsideHost, owner: Owner) -> Manifest:
    """The ServiceEntry of a host. Callers speak plain HTTP to its port, whatever the host itself speaks."""
    port: Manifest = {"number": one.port, "name": "http", "protocol": "HTTP"}
    if one.target_port != one.port:
        port["targetPort"] = one.target_port
    spec: Manifest = {"hosts": [one.host], "location": "MESH_EXTERNAL", "resolution": "DNS", "ports": [port]}
    if one.address:
        spec["endpoints"] = [{"address": one.address}]
    return owner.istio("ServiceEntry", one.name, spec)
