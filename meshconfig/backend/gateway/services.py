"""The Services of versions: what a subset is to Istio's backend. Source: Gateway API, GAMMA; Kubernetes, Service."""

from meshconfig.backend.gateway.names import version_service
from meshconfig.backend.manifest import Manifest, Owner
from meshconfig.backend.refused import UnsupportedError
from meshconfig.istio.hosts import ServiceName
from meshconfig.model import Name, ServicePort, Subset, SubsetTable


def lower(table: SubsetTable, owner: Owner) -> list[Manifest]:
    """A Service for each version, and a DestinationRule for each where the service has a trafficPolicy.

    Outside the mesh a version is a host of its own; it has the DestinationRule alone.
    """
    if table.served is None:
        return [owner.istio("DestinationRule", table.name, _rule(table.host, table))] if table.policy else []
    found: list[Manifest] = []
    for subset in table.subsets:
        name = version_service(table.host, subset.name)
        found.append(_service(name, subset, table.served, owner))
        if table.policy:
            host = ServiceName(name.name, name.namespace).host
            found.append(owner.istio("DestinationRule", name, _rule(host, table)))
    return found


def _rule(host: str, table: SubsetTable) -> Manifest:
    return {"host": host, "trafficPolicy": dict(table.policy)}


def _service(name: Name, subset: Subset, served: ServicePort, owner: Owner) -> Manifest:
    if subset.failover:
        raise UnsupportedError(None, "fallback: runtime is Istio's own: write fallback: compiled")
    # The name says to Istio what the Pods speak.
    port: Manifest = {"name": served.protocol, "port": served.port}
    if served.target != served.port:
        port["targetPort"] = served.target
    spec = {"selector": {**dict(served.selector), **dict(subset.labels)}, "ports": [port]}
    return owner.manifest("v1", "Service", name, spec)
