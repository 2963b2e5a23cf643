"""From the model to resources, one file a kind; and to YAML. Same model, same bytes."""

from collections.abc import Iterable

from meshconfig.model import Model
from meshconfig.render.autoscaler import autoscaler
from meshconfig.render.common import GROUP, MANAGED_BY, IstioApi, Manifest
from meshconfig.render.destination_rule import destination_rule
from meshconfig.render.gateway import gateway
from meshconfig.render.ingress import GATEWAY_SERVICE, ingress
from meshconfig.render.sidecar import sidecars
from meshconfig.render.virtual_service import entry, mesh
from meshconfig.render.yaml import to_yaml

__all__ = [
    "GATEWAY_SERVICE",
    "GROUP",
    "MANAGED_BY",
    "IstioApi",
    "Manifest",
    "file_name",
    "ingress",
    "render",
    "sidecars",
    "to_yaml",
]


def render(models: Iterable[Model], *, istio_api: IstioApi = "v1") -> list[Manifest]:
    """The resources of groups, each group's in the order in which a first apply may create them.

    Parameters:
        istio_api: the version of `networking.istio.io` to write; `v1beta1` for Istio before 1.22.
    """
    return [manifest for model in models for manifest in _group(model, istio_api)]


def _group(model: Model, api: IstioApi) -> Iterable[Manifest]:
    yield from (destination_rule(service, model, api) for service in model.services)
    yield from (mesh(service, model, api) for service in model.services)
    yield from (gateway(one.own, one, model, api) for one in model.entries if one.own)
    yield from (entry(one, model, api) for one in model.entries)
    yield from (autoscaler(one, service, model) for service in model.services for one in service.autoscalers)


def file_name(manifest: Manifest) -> str:
    """The file of one resource in a directory of them: `demo.virtualservice.cat-svc.yaml`."""
    metadata = manifest["metadata"]
    return f"{metadata['namespace']}.{manifest['kind'].lower()}.{metadata['name']}.yaml"
