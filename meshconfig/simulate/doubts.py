"""Resources that change what a proxy does and that are not modelled: named, never guessed at."""

from collections.abc import Iterator, Mapping

from meshconfig.istio.exports import ROOT_NAMESPACE
from meshconfig.simulate.candidates import ProxyContext
from meshconfig.simulate.index import Index

# Kind → what it may do to a request that passes the proxy, in its own namespace or, from the root's, in any.
_KINDS: Mapping[str, str] = {
    "EnvoyFilter": "may change the proxy's configuration in any way",
    "WasmPlugin": "may change or answer requests",
    "TrafficExtension": "may change or answer requests",
}
# Those that a gateway applies to what comes in.
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
