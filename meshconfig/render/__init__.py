"""Renders models as resources, and resources as YAML. The same model gives the same bytes."""

from collections.abc import Iterable, Iterator

from meshconfig.backend import Manifest, Owner, UnsupportedError, backend
from meshconfig.backend.manifest import GROUP, MANAGED_BY, IstioApi
from meshconfig.errors import InputError, Location, Problem, dotted
from meshconfig.model import Model, Table
from meshconfig.render.ingress import GATEWAY_SERVICE, ingress
from meshconfig.render.sidecar import sidecars
from meshconfig.render.telemetry import telemetries
from meshconfig.render.waypoint import unlabelled, with_waypoint
from meshconfig.render.yaml import to_yaml

__all__ = [
    "GATEWAY_SERVICE",
    "GROUP",
    "MANAGED_BY",
    "IstioApi",
    "Manifest",
    "file_name",
    "ingress",
    "lowered",
    "owner",
    "render",
    "sidecars",
    "telemetries",
    "to_yaml",
    "unlabelled",
    "with_waypoint",
]


def owner(model: Model, istio_api: IstioApi = "v1", *, experimental: bool = False) -> Owner:
    """The owner of a model's resources, which gives them their labels."""
    return Owner(model.group, model.tag, istio_api, experimental)


def render(models: Iterable[Model], *, istio_api: IstioApi = "v1", experimental: bool = False) -> list[Manifest]:
    """The resources of groups. Those of each group are in an order in which a first apply can create them.

    Parameters:
        istio_api: the version of `networking.istio.io` to write; `v1beta1` for Istio before 1.22.
        experimental: write fields of Gateway API's experimental channel too.

    Raises:
        InputError: a group's backend cannot express a part of it. Each problem has its file, line, field and reason.
    """
    made: list[Manifest] = []
    for model in models:
        whose = owner(model, istio_api, experimental=experimental)
        for _, found in lowered(model, model.routing().tables, whose):
            made += found
    return made


def lowered(model: Model, tables: Iterable[Table], whose: Owner) -> Iterator[tuple[Table, list[Manifest]]]:
    """The resources of each of a model's tables. What its backend cannot express is raised after the last table.

    Raises:
        InputError: as for `render`.
    """
    lower = backend(model.backend).lower
    problems: list[Problem] = []
    for table in tables:
        try:
            yield table, lower(table, whose)
        except UnsupportedError as error:
            field = error.field or ("spec", "backend")
            place = model.locate(field) if model.locate else Location(f"LaneGroup {model.namespace}/{model.group}")
            problems.append(Problem(place, dotted(field), error.message))
    if problems:
        raise InputError(sorted(set(problems)))


def file_name(manifest: Manifest) -> str:
    """The name of a resource's file when each resource has its own: `demo.virtualservice.cat-svc.yaml`."""
    metadata = manifest["metadata"]
    return f"{metadata['namespace']}.{manifest['kind'].lower()}.{metadata['name']}.yaml"
