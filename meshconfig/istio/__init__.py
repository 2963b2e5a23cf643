"""What Istio's resources mean, for every part of graylane that reads them. Pure, without I/O.

    types, resources: manifests as typed values
    hosts, gateways, exports, ports, strings, matches, cluster_names, pods: the meaning of one field
    services, routes, destinations, destination_rules, policies: the meaning of several fields or resources together

Types and resources are loaded when a program first names them. Their pydantic models take about as long to build as
pydantic takes to import, and compiling a spec needs none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from meshconfig.istio.gateways import MESH
from meshconfig.istio.hosts import CLUSTER_DOMAIN, fqdn

if TYPE_CHECKING:
    from meshconfig.istio.resources import (
        ISTIO_GROUP,
        DestinationRule,
        Gateway,
        Manifest,
        Namespace,
        Resource,
        Resources,
        Service,
        ServiceEntry,
        Source,
        VirtualService,
        Workload,
    )
    from meshconfig.istio.types import (
        Destination,
        HeaderOperations,
        Headers,
        HTTPMatchRequest,
        HTTPRedirect,
        HTTPRewrite,
        HTTPRoute,
        HTTPRouteDestination,
        Metadata,
        Nothing,
        Port,
        Server,
        ServicePort,
        StringMatch,
        Subset,
        View,
    )

__all__ = [
    "CLUSTER_DOMAIN",
    "ISTIO_GROUP",
    "MESH",
    "Destination",
    "DestinationRule",
    "Gateway",
    "HTTPMatchRequest",
    "HTTPRedirect",
    "HTTPRewrite",
    "HTTPRoute",
    "HTTPRouteDestination",
    "HeaderOperations",
    "Headers",
    "Manifest",
    "Metadata",
    "Namespace",
    "Nothing",
    "Port",
    "Resource",
    "Resources",
    "Server",
    "Service",
    "ServiceEntry",
    "ServicePort",
    "Source",
    "StringMatch",
    "Subset",
    "View",
    "VirtualService",
    "Workload",
    "fqdn",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in ("meshconfig.istio.types", "meshconfig.istio.resources"):
            if hasattr(home := import_module(module), name):
                return getattr(home, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
