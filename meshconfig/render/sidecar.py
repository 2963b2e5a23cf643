"""Sidecar resources: they limit the services that a namespace's proxies know to those in `calls`.

Without a Sidecar, every proxy gets the configuration of every service of the mesh. One Sidecar serves a whole
namespace, because a spec has no label that all Pods of a service carry. So a proxy knows all services that any service
of its namespace calls.
Source: Istio, networking/v1 Sidecar.
"""

from collections.abc import Iterable

from meshconfig.backend import IstioApi, Manifest, Owner
from meshconfig.istio.hosts import ServiceName
from meshconfig.model import Model, Name, Service
from meshconfig.render.namespaces import namespaces

NAME = "default"  # the name that Istio's documentation uses for the Sidecar of a whole namespace
CONTROL_PLANE = "istio-system/*"


def sidecars(models: Iterable[Model], api: IstioApi) -> list[Manifest]:
    """One Sidecar for each namespace that has services.

    Raises:
        InputError: two groups have services in one namespace, where Istio accepts one Sidecar without a selector.
    """
    found = namespaces(models, "--sidecar", "and Istio takes one Sidecar per namespace")
    return [_sidecar(model, namespace, api) for model, namespace in found]


def _sidecar(model: Model, namespace: str, api: IstioApi) -> Manifest:
    by_name = {service.name: service for service in model.services}
    called = {
        host
        for service in model.services
        if service.namespace == namespace
        for name in service.calls
        for host in _egress(by_name[name], model.backend)
    }
    spec = {"egress": [{"hosts": [*sorted(called), CONTROL_PLANE]}]}
    return Owner(model.group, model.tag, api).istio("Sidecar", Name(namespace, NAME), spec)


def _egress(service: Service, backend: str) -> list[str]:
    found = [f"{service.namespace}/{table.host}" for table in service.mesh_tables]
    return [*found, *_services_of_versions(service)] if backend == "gateway" and not service.outside else found


def _services_of_versions(service: Service) -> list[str]:
    """The Services to which HTTPRoutes lead in place of the service itself."""
    from meshconfig.backend.gateway.names import refusing_service, version_service

    names = [version_service(service.host, subset.name) for subset in service.subsets]
    if any(route.refusal for route in service.routes):
        names.append(refusing_service(service.resource))
    return [f"{one.namespace}/{ServiceName(one.name, one.namespace).host}" for one in names]
