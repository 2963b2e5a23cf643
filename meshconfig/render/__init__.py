"""From the model to resources, one file a kind; and to YAML. Same model, same bytes."""

from meshconfig.model import Model
from meshconfig.render.autoscaler import autoscaler
from meshconfig.render.common import GROUP, MANAGED_BY, IstioApi, Manifest
from meshconfig.render.destination_rule import destination_rule
from meshconfig.render.gateway import gateway
from meshconfig.render.virtual_service import entry, mesh
from meshconfig.render.yaml import to_yaml

__all__ = ["GROUP", "MANAGED_BY", "IstioApi", "Manifest", "file_name", "render", "to_yaml"]


def render(model: Model, *, istio_api: IstioApi = "v1") -> list[Manifest]:
    """The resources of one group, in the order in which a first apply may create them: subsets before routes to them.

    Parameters:
        istio_api: the version of `networking.istio.io` to write; `v1beta1` for Istio before 1.22.
    """
    manifests = [destination_rule(service, model, istio_api) for service in model.services]
    manifests += [mesh(service, model, istio_api) for service in model.services]
    manifests += [gateway(one.own, one, model, istio_api) for one in model.entries if one.own]
    manifests += [entry(one, model, istio_api) for one in model.entries]
    manifests += [autoscaler(one, service, model) for service in model.services for one in service.autoscalers]
    return manifests


def file_name(manifest: Manifest) -> str:
    """The file of one resource in a directory of them: `demo.virtualservice.cat-svc.yaml`."""
    metadata = manifest["metadata"]
    return f"{metadata['namespace']}.{manifest['kind'].lower()}.{metadata['name']}.yaml"
