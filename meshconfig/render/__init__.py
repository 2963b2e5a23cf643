"""Renders models as resources, and resources as YAML. The same model gives the same bytes."""

from collections.abc import Iterable

from meshconfig.backend import Manifest, Owner, backend
from meshconfig.backend.manifest import GROUP, MANAGED_BY, IstioApi
from meshconfig.model import Model
from meshconfig.render.ingress import GATEWAY_SERVICE, ingress
from meshconfig.render.sidecar import sidecars
from meshconfig.render.telemetry import telemetries
from meshconfig.render.yaml import to_yaml

__all__ = [
    "GATEWAY_SERVICE",
    "GROUP",
    "MANAGED_BY",
    "IstioApi",
    "Manifest",
    "file_name",
    "ingress",
    "owner",
    "render",
    "sidecars",
    "telemetries",
    "to_yaml",
]


def owner(model: Model, istio_api: IstioApi = "v1") -> Owner:
    """The owner of a model's resources, which gives them their labels."""
    return Owner(model.group, model.tag, istio_api)


def render(models: Iterable[Model], *, istio_api: IstioApi = "v1") -> list[Manifest]:
    """The resources of groups. Those of each group are in an order in which a first apply can create them.

    Parameters:
        istio_api: the version of `networking.istio.io` to write; `v1beta1` for Istio before 1.22.
    """
    lower, made = backend().lower, []
    for model in models:
        whose = owner(model, istio_api)
        for table in model.routing().tables:
            made += lower(table, whose)
    return made


def file_name(manifest: Manifest) -> str:
    """The name of a resource's file when each resource has its own: `demo.virtualservice.cat-svc.yaml`."""
    metadata = manifest["metadata"]
    return f"{metadata['namespace']}.{manifest['kind'].lower()}.{metadata['name']}.yaml"
