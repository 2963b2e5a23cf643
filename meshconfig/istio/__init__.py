"""What Istio's resources mean, once for all that reads them: pure, no I/O, below every other layer that routes.

    types → resources (manifests as typed values)
    hosts, gateways, exports, ports, strings, matches, cluster_names, pods: what one field means
    services, routes, destination_rules, policies: what several resources mean together

Types and resources are loaded when they are first named: building their pydantic models takes longer than all else
here, and who compiles a spec needs none of them.
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
