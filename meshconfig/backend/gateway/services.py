"""The Services of versions: what a subset is to Istio's backend. Source: Gateway API, GAMMA; Kubernetes, Service."""

from meshconfig.backend.gateway.names import service_of, version_service
from meshconfig.backend.istio import destination_rule
from meshconfig.backend.manifest import SERVICE, VERSION, Manifest, Owner
from meshconfig.backend.refused import UnsupportedError
from meshconfig.istio.hosts import ServiceName
from meshconfig.model import Name, ServicePort, Subset, SubsetTable


def lower(table: SubsetTable, owner: Owner) -> list[Manifest]:
    """A Service for each version, and a DestinationRule for each where the service has a trafficPolicy.

    Outside the mesh a version is a host of its own; it has the DestinationRule alone.
    """
    if table.lifted is not None and table.lifted.get("kind"):
        return [destination_rule.lower(table, owner)]
    if table.lifted is not None and table.lifted.get("refuses"):
        return [dict(one.fields["service"]) for one in table.subsets if one.fields]
    if table.lifted is not None:
        return [one for subset in table.subsets for one in _relowered(table.host, subset)]
    if table.served is None:
        return [owner.istio("DestinationRule", table.name, _rule(table.host, table))] if table.policy else []
    found: list[Manifest] = []
    for subset in table.subsets:
        name = version_service(table.host, subset.name)
        found.append(_service(table.host, subset, table.served, owner))
        if table.policy:
            host = ServiceName(name.name, name.namespace).host
            found.append(owner.istio("DestinationRule", name, _rule(host, table)))
    return found


def lifted(version: str, service: Manifest, rule: Manifest | None) -> Subset:
    """The subset that a version's Service stands for.

    Parameters:
        rule: the DestinationRule of that Service; None without one.
    """
    spec = service.get("spec") or {}
    labels = tuple(sorted((spec.get("selector") or {}).items()))
    fields = {"service": service, "rule": rule, "ports": spec.get("ports")}
    return Subset(version, labels, fields=fields)


def _relowered(host: str, subset: Subset) -> list[Manifest]:
    """The Service of a version as it was lifted, with its name and its labels, and its DestinationRule."""
    assert subset.fields is not None  # `lifted` sets them
    name = version_service(host, subset.name)
    found = _named(subset.fields["service"], name, subset.name)
    made: list[Manifest] = [{**found, "spec": {**found["spec"], "selector": dict(subset.labels)}}]
    if rule := subset.fields["rule"]:
        theirs = _named(rule, name, None)
        of = ServiceName(name.name, name.namespace).host
        moved = theirs["metadata"]["name"] != rule["metadata"]["name"]
        made.append({**theirs, "spec": {**theirs["spec"], "host": of}} if moved else theirs)
    return made


def _named(manifest: Manifest, name: Name, version: str | None) -> Manifest:
    metadata = {**manifest["metadata"], "name": name.name}
    if version is not None:
        metadata["labels"] = {**metadata["labels"], VERSION: version}
    return {**manifest, "metadata": metadata}


def _rule(host: str, table: SubsetTable) -> Manifest:
    return {"host": host, "trafficPolicy": dict(table.policy)}


def _service(host: str, subset: Subset, served: ServicePort, owner: Owner) -> Manifest:
    if subset.failover:
        raise UnsupportedError(None, "fallback: runtime is Istio's own: write fallback: compiled")
    # The name says to Istio what the Pods speak.
    port: Manifest = {"name": served.protocol, "port": served.port}
    if served.target != served.port:
        port["targetPort"] = served.target
    spec = {"selector": {**dict(served.selector), **dict(subset.labels)}, "ports": [port]}
    found = owner.manifest("v1", "Service", version_service(host, subset.name), spec)
    found["metadata"]["labels"] |= {SERVICE: service_of(host).name, VERSION: subset.name}
    return found
