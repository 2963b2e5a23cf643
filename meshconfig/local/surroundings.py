"""Stand-ins for what a cluster has besides the rendered resources: the Services, and Gateways of others."""

from collections.abc import Iterable

from meshconfig.istio import Resources
from meshconfig.istio.gateway_api_types import GATEWAY_API
from meshconfig.istio.hosts import service_name
from meshconfig.model import Model
from meshconfig.render import Manifest, render

_ISTIO = "networking.istio.io/v1"


def resources(models: Iterable[Model]) -> Resources:
    """The rendered resources of all groups, and the stand-ins."""
    models = list(models)
    manifests = render(models)
    rendered = {_full_name(one) for one in manifests if one["kind"] == "Gateway"}
    services = [_service(one.host, one.port) for model in models for one in model.services if not one.outside]
    others = [(one, _gateway) for one in sorted(existing_gateways(models, "istio") - rendered)]
    others += [(one, _gateway_of_the_api) for one in sorted(existing_gateways(models, "gateway") - rendered)]
    return Resources.parse([*manifests, *services, *(make(one) for one, make in others)])


def existing_gateways(models: Iterable[Model], backend: str = "") -> set[str]:
    """The Gateways (`namespace/name`) that entries use but graylane does not create.

    Parameters:
        backend: those of this backend's groups alone; empty for all.
    """
    chosen = (one for one in models if backend in ("", one.backend))
    return {entry.gateway for model in chosen for entry in model.entries if entry.own is None}


def _full_name(manifest: Manifest) -> str:
    return f"{manifest['metadata']['namespace']}/{manifest['metadata']['name']}"


def _service(host: str, port: int) -> Manifest:
    if service := service_name(host):
        return _manifest("v1", "Service", service.name, service.namespace, {"ports": [{"port": port}]})
    ports = [{"number": port, "name": "http", "protocol": "HTTP"}]
    return _manifest(_ISTIO, "ServiceEntry", host, "default", {"hosts": [host], "ports": ports})


def _gateway(full_name: str) -> Manifest:
    """A Gateway for any host on port 80. Its selector is unique, so that each one gets its own listener."""
    namespace, name = full_name.split("/", 1)
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
    spec = {"selector": {"gateway": f"{namespace}.{name}"}, "servers": [server]}
    return _manifest(_ISTIO, "Gateway", name, namespace, spec)


def _gateway_of_the_api(full_name: str) -> Manifest:
    """A Gateway of the Gateway API with a listener for any host on port 80, which takes routes of every namespace."""
    namespace, name = full_name.split("/", 1)
    allowed = {"namespaces": {"from": "All"}}
    spec = {
        "gatewayClassName": "istio",
        "listeners": [{"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": allowed}],
    }
    return _manifest(f"{GATEWAY_API}/v1", "Gateway", name, namespace, spec)


def _manifest(api: str, kind: str, name: str, namespace: str, spec: Manifest) -> Manifest:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}
