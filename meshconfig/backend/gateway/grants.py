"""ReferenceGrants: leave for the HTTPRoutes of one namespace to lead to Services of another.

Without it, a gateway answers 500 in place of such a backend; between services Istio does not ask for it.
Source: Gateway API, ReferenceGrant; istio/istio pilot/pkg/config/kube/gateway/conversion.go, buildDestination.
"""

from collections.abc import Iterator, Mapping, Sequence

from meshconfig.backend.gateway.names import API, service_of, version_service
from meshconfig.backend.manifest import Manifest, Owner
from meshconfig.istio.hosts import ServiceName, service_name
from meshconfig.model import Grant, Name, RouteTable

GRANTED = 16  # Services that one ReferenceGrant may name
KIND = "ReferenceGrant"
_ROUTE = "HTTPRoute"
Versions = Mapping[Name, tuple[str, str]]  # of a version's Service, the host of its service and the version's name


def needed(table: RouteTable) -> Iterator[Grant]:
    """For each other namespace, leave for the table's HTTPRoutes to lead to Services there."""
    there: dict[str, set[tuple[str, str]]] = {}
    for target in (one for route in table.routes for one in route.targets):
        service = service_name(target.host)
        if service is not None and service.namespace != table.name.namespace:
            there.setdefault(service.namespace, set()).add((target.host, target.subset))
    for namespace, services in sorted(there.items()):
        name = Name(namespace, f"{table.name.namespace}-{table.name.name}")
        yield Grant(name, table.name.namespace, tuple(sorted(services)))


def lower(grant: Grant, owner: Owner) -> Manifest:
    """The ReferenceGrant. It names each Service, or where these are too many, none, which means all of them."""
    if grant.lifted is not None and grant.lifted["services"] == grant.services:
        return dict(grant.lifted["resource"])
    names = sorted({_service(*one).name for one in grant.services})
    named = [{"name": name} for name in names] if 0 < len(names) <= GRANTED else [{}]
    spec = {
        "from": [{"group": API, "kind": _ROUTE, "namespace": grant.namespace}],
        "to": [{"group": "", "kind": "Service", **one} for one in named],
    }
    return owner.manifest(f"{API}/v1beta1", KIND, grant.name, spec)


def _service(host: str, version: str) -> Name:
    return version_service(host, version) if version else Name(*reversed(service_of(host)))


def lift(name: Name, manifest: Manifest, versions: Versions) -> Grant | None:
    """The leave that a ReferenceGrant gives; None for one that is of another shape than graylane's."""
    spec = manifest.get("spec") or {}
    sources: Sequence[Manifest] = spec.get("from") or ()
    to: Sequence[Manifest] = spec.get("to") or ()
    ours = len(sources) == 1 and (sources[0].get("group"), sources[0].get("kind")) == (API, _ROUTE)
    if not (ours and all((one.get("group") or "", one.get("kind")) == ("", "Service") for one in to)):
        return None
    named = [one.get("name") for one in to]
    hosts = (
        versions.get(Name(name.namespace, one), (ServiceName(one, name.namespace).host, "")) for one in named if one
    )
    services = tuple(sorted(hosts)) if all(named) else ()
    return Grant(name, sources[0]["namespace"], services, {"resource": manifest, "services": services})
