"""Resources that may change what a proxy does and that the simulation does not model: named, without a guess."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from meshconfig.istio import Resource, View
from meshconfig.istio.exports import ROOT_NAMESPACE
from meshconfig.istio.gateway_api_types import GATEWAY_KIND
from meshconfig.istio.hosts import ServiceName, domain_matches
from meshconfig.simulate.candidates import ProxyContext
from meshconfig.simulate.index import STREAM_ROUTES, Index

# For each kind, what it may do to requests that pass a proxy. A resource applies to the proxies of its own namespace;
# one in the root namespace applies to all.
_KINDS: Mapping[str, str] = {
    "EnvoyFilter": "may change the proxy's configuration in any way",
    "WasmPlugin": "may change or answer requests",
    "TrafficExtension": "may change or answer requests",
}
# Kinds that apply to incoming requests only: a gateway enforces them, a sidecar that sends a request does not.
_AT_GATEWAYS: Mapping[str, str] = {
    "AuthorizationPolicy": "may refuse the request",
    "RequestAuthentication": "refuses requests whose token is not valid",
}
_NAMED = 3  # of many resources of a kind, so many are named
# Filters that only observe. Istio up to 1.17 installed its statistics as EnvoyFilters, two for each version.
_OBSERVERS = ("istio.stats", "istio.metadata_exchange", "istio.access_log", "istio.workload_metadata")
_PATCHED_IN = {True: ("ANY", "GATEWAY"), False: ("ANY", "SIDECAR_OUTBOUND")}


def doubts(index: Index, proxy: ProxyContext) -> Iterator[str]:
    """One sentence for each kind of resources that may change what this proxy does."""
    kinds = {**_KINDS, **_AT_GATEWAYS} if proxy.is_gateway else _KINDS
    for kind, effect in kinds.items():
        found = [one for one in index.unmodelled if one.kind == kind and _applies(one, proxy)]
        if found:
            yield f"{_listed(kind, found)} {effect}"


def gateway_api(index: Index, host: str, service: str = "") -> Iterator[str]:
    """One sentence for each route of the Gateway API that is not computed and may be for a host or a Service.

    Those are TCPRoutes and TLSRoutes, and any route at a Gateway that is not among the resources.
    """
    known = {key for key, one in index.gateways.items() if one.kind == GATEWAY_KIND}
    for one in index.gateway_api_routes:
        if service and one.kind not in STREAM_ROUTES:  # between services, a Gateway that is not given is of no matter
            continue
        spec = _mapping(one.manifest.get("spec"))
        parents = [_mapping(parent) for parent in spec.get("parentRefs") or ()]
        services = [_key(parent, one) for parent in parents if parent.get("kind") == "Service"]
        at_gateways = [parent for parent in parents if parent.get("kind", "Gateway") == "Gateway"]
        others = [key for parent in at_gateways if (key := _key(parent, one)) not in {*services, *known}]
        named = [str(name) for name in spec.get("hostnames") or ("*",)]
        if one.kind not in STREAM_ROUTES:
            if others and any(domain_matches(name, host) for name in named):
                yield f"{one} may route the request, as the Gateway {others[0]} is not given"
        elif service in (ServiceName(*reversed(key.split("/"))).host for key in services) or (
            not service and len(services) < len(parents) and any(domain_matches(name, host) for name in named)
        ):
            yield f"{one} may take the connection, and is not computed"


def _key(parent: Mapping[str, Any], route: Resource[View]) -> str:
    return f"{parent.get('namespace') or route.namespace}/{parent.get('name')}"


def _listed(kind: str, found: Sequence[Resource[View]]) -> str:
    if len(found) == 1:
        return str(found[0])
    names = [one.key for one in found[:_NAMED]] + ([f"{len(found) - _NAMED} more"] if len(found) > _NAMED else [])
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    return f"one of the {plural} {', '.join(names[:-1])} and {names[-1]}"


def _applies(one: Resource[View], proxy: ProxyContext) -> bool:
    if one.namespace not in (proxy.namespace, ROOT_NAMESPACE):
        return False
    spec = _mapping(one.manifest.get("spec"))
    if one.kind == "EnvoyFilter" and not _patches(spec, proxy):
        return False
    chosen = _mapping(spec.get("workloadSelector")) or _mapping(spec.get("selector"))
    labels = _mapping(chosen.get("labels")) or _mapping(chosen.get("matchLabels"))
    return proxy.labels is None or labels.items() <= proxy.labels.items()


def _patches(spec: Mapping[str, Any], proxy: ProxyContext) -> bool:
    """Whether an EnvoyFilter has a patch for this kind of proxy that does more than observe."""
    patches = spec.get("configPatches")
    if not isinstance(patches, list) or not patches:
        return True
    return any(_changes(_mapping(patch), proxy) for patch in patches)


def _changes(patch: Mapping[str, Any], proxy: ProxyContext) -> bool:
    if _mapping(patch.get("match")).get("context", "ANY") not in _PATCHED_IN[proxy.is_gateway]:
        return False
    change = _mapping(patch.get("patch"))
    inserted = str(change.get("operation", "")).startswith(("INSERT", "ADD", "MERGE", "REPLACE"))
    return not (inserted and _mapping(change.get("value")).get("name") in _OBSERVERS)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
