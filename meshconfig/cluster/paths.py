"""The API server's path of each kind that graylane reads or writes."""

from meshconfig.cluster.objects import Key

ISTIO = "networking.istio.io"
_PLURALS = {
    "VirtualService": (ISTIO, "virtualservices"),
    "DestinationRule": (ISTIO, "destinationrules"),
    "Gateway": (ISTIO, "gateways"),
    "HorizontalPodAutoscaler": ("autoscaling/v2", "horizontalpodautoscalers"),
    "Deployment": ("apps/v1", "deployments"),
    "Lease": ("coordination.k8s.io/v1", "leases"),
    "EndpointSlice": ("discovery.k8s.io/v1", "endpointslices"),
    "ConfigMap": ("v1", "configmaps"),
    "Service": ("v1", "services"),
    "Pod": ("v1", "pods"),
    "Event": ("v1", "events"),
    "Secret": ("v1", "secrets"),
}


def collection(kind: str, namespace: str, istio_api: str = "v1") -> str:
    """The path of all resources of a kind in a namespace; `istio_api` is the API version of Istio's kinds."""
    api, plural = _PLURALS[kind]
    api = f"{api}/{istio_api}" if api == ISTIO else api
    root = "/apis/" if "/" in api else "/api/"
    return f"{root}{api}/namespaces/{namespace}/{plural}"


def path(key: Key, api_version: str = "", *, istio_api: str = "v1") -> str:
    """The path of one resource. Its own `apiVersion`, if known, overrides `istio_api`."""
    version = api_version.rpartition("/")[2] if api_version.startswith(ISTIO) else istio_api
    return f"{collection(key.kind, key.namespace, version)}/{key.name}"
