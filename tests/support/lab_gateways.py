"""Gateways of the Gateway API where Istio makes no Pods for them, as in the lab: those of the ingress gateway listen
for them, which istiod looks for in the Gateway's own namespace alone. So they move there, and routes to them name it.
"""

from mesh_cluster import GATEWAY_API, Manifest

from meshconfig.render.waypoint import CLASS

PLACE = "istio-system"
ADDRESS = {"type": "Hostname", "value": f"istio-ingressgateway.{PLACE}.svc.cluster.local"}
_EVERYBODY = {"namespaces": {"from": "All"}}


def served(manifest: Manifest) -> Manifest:
    """A resource as it is to be applied; those of other kinds stay as they are, and so do waypoints."""
    if not manifest["apiVersion"].startswith(GATEWAY_API):
        return manifest
    spec = manifest["spec"]
    if spec.get("gatewayClassName") == CLASS:
        return manifest
    if manifest["kind"] != "Gateway":
        parents = [
            {**one, "namespace": PLACE} if one.get("kind", "Gateway") == "Gateway" else one
            for one in spec["parentRefs"]
        ]
        return {**manifest, "spec": {**spec, "parentRefs": parents}}
    listeners = [{**one, "allowedRoutes": {**one.get("allowedRoutes", {}), **_EVERYBODY}} for one in spec["listeners"]]
    moved = {**manifest["metadata"], "namespace": PLACE}
    return {**manifest, "metadata": moved, "spec": {**spec, "addresses": [ADDRESS], "listeners": listeners}}
