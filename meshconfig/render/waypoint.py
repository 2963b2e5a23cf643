"""Waypoints of ambient mode: a Gateway that routes requests between services, and the label that has them sent there.

A waypoint takes the HTTPRoutes and GRPCRoutes whose parent is a Service with its label, as a sidecar does.
Source: Istio, Configure waypoint proxies: https://istio.io/latest/docs/ambient/usage/waypoint/
"""

from collections.abc import Iterable, Iterator, Sequence

from meshconfig.backend import Manifest, Owner
from meshconfig.backend.kinds import GATEWAY_API
from meshconfig.errors import InputError, Location
from meshconfig.istio.hosts import service_name
from meshconfig.model import Model, Name
from meshconfig.render.namespaces import namespaces

USES = "istio.io/use-waypoint"
FOR = "istio.io/waypoint-for"
CLASS, PORT = "istio-waypoint", 15008  # of mutual TLS between ambient's proxies, HBONE
_LABELLED = ("Service", "ServiceEntry")


def with_waypoint(models: Sequence[Model], manifests: Iterable[Manifest], name: str) -> list[Manifest]:
    """The resources, with the label on Services and ServiceEntries, and a waypoint in each namespace with services.

    Parameters:
        manifests: what the models render to.
        name: the waypoint's.

    Raises:
        InputError: a group is not of the backend `gateway`, or two groups have services in one namespace.
    """
    found = [_labelled(one, name) if one["kind"] in _LABELLED else one for one in manifests]
    return [*found, *_waypoints(models, name)]


def unlabelled(models: Iterable[Model]) -> Iterator[Name]:
    """The Services that callers name: they are not graylane's, so that a person gives them the label."""
    for model in models:
        for service in (one for one in model.services if not one.outside):
            if found := service_name(service.host):
                yield Name(found.namespace, found.name)


def _labelled(manifest: Manifest, name: str) -> Manifest:
    metadata = manifest["metadata"]
    return {**manifest, "metadata": {**metadata, "labels": {**metadata["labels"], USES: name}}}


def _waypoints(models: Iterable[Model], name: str) -> Iterator[Manifest]:
    why = "and each would have the waypoint"
    for model, namespace in namespaces(map(_of_gateway_api, models), "--waypoint", why):
        listener = {"name": "mesh", "port": PORT, "protocol": "HBONE"}
        spec = {"gatewayClassName": CLASS, "listeners": [listener]}
        found = Owner(model.group, model.tag).manifest(f"{GATEWAY_API}/v1", "Gateway", Name(namespace, name), spec)
        found["metadata"]["labels"][FOR] = "service"
        yield found


def _of_gateway_api(model: Model) -> Model:
    if model.backend != "gateway":
        place = model.locate(("spec", "backend")) if model.locate else Location(f"LaneGroup {model.group}")
        message = "waypoints take routes of the Gateway API: write backend: gateway, or give --backend gateway"
        raise InputError.at(place.file, f"--waypoint: {message}", line=place.line, path="spec.backend")
    return model
