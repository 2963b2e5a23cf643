"""Resources that may change what a proxy does and that the simulation does not model: named, without a guess."""

from collections.abc import Iterator, Mapping

from meshconfig.istio.exports import ROOT_NAMESPACE
from meshconfig.simulate.candidates import ProxyContext
from meshconfig.simulate.index import Index

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


def doubts(index: Index, proxy: ProxyContext) -> Iterator[str]:
    """One sentence for each resource that may change what this proxy does."""
    kinds = {**_KINDS, **_AT_GATEWAYS} if proxy.is_gateway else _KINDS
    for one in index.unmodelled:
        if one.kind in kinds and one.namespace in (proxy.namespace, ROOT_NAMESPACE):
            yield f"{one} {kinds[one.kind]}"
