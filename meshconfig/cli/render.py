"""`graylane render`: a spec to Istio's resources."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from meshconfig.cli.common import Files, batch, models, stderr
from meshconfig.errors import InputError
from meshconfig.model import Model
from meshconfig.render import GATEWAY_SERVICE, GROUP, Manifest, file_name, ingress, render, sidecars, to_yaml


class IstioApiVersion(StrEnum):
    V1 = "v1"
    V1BETA1 = "v1beta1"


def command(
    file: Files,
    directory: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output-dir", metavar="DIR", help="Write one file per resource there.", show_default=False
        ),
    ] = None,
    istio_api: Annotated[
        IstioApiVersion, typer.Option("--istio-api", help="v1beta1 is for Istio before 1.22.")
    ] = IstioApiVersion.V1,
    sidecar: Annotated[
        bool,
        typer.Option("--sidecar", help="Also a Sidecar per namespace, so that proxies hear only of what is called."),
    ] = False,
    with_ingress: Annotated[
        bool, typer.Option("--ingress", help="Also a Kubernetes Ingress in front of the ingress gateway.")
    ] = False,
    ingress_service: Annotated[
        str, typer.Option("--ingress-service", metavar="NAMESPACE/NAME", help="The Service that --ingress leads to.")
    ] = GATEWAY_SERVICE,
) -> None:
    """Compile specs to Gateways, VirtualServices, DestinationRules and autoscalers, as YAML.

    Examples:

        graylane render -f graylane.yaml

        graylane render -f graylane.yaml | kubectl apply --server-side -f -

        graylane render -f specs/ -o k8s/mesh --sidecar
    """
    if ingress_service.count("/") != 1 or not all(ingress_service.split("/")):
        raise InputError.at("--ingress-service", f"takes NAMESPACE/NAME, not {ingress_service!r}")
    with batch():
        compiled = models(file)
        manifests = render(compiled, istio_api=istio_api.value)
        if sidecar:
            manifests += sidecars(compiled, istio_api.value)
        if with_ingress:
            manifests += _ingresses(compiled, ingress_service)
        _check_names(manifests, ", ".join(file))
        if directory is None:
            print(to_yaml(manifests), end="")
        else:
            _write(manifests, directory)


def _ingresses(compiled: list[Model], service: str) -> list[Manifest]:
    return [ingress(entry, model, service) for model in compiled for entry in model.entries]


def _check_names(manifests: list[Manifest], files: str) -> None:
    """Two resources of one name: the second would take the first one's place, in a directory as in a cluster.

    Raises:
        InputError: there are such; two groups have the same service or entry.
    """
    groups: dict[str, str] = {}
    for manifest in manifests:
        metadata = manifest["metadata"]
        name, group = f"{manifest['kind']} {metadata['namespace']}/{metadata['name']}", metadata["labels"][GROUP]
        if name in groups:
            other = groups[name]
            whose = f"groups {other} and {group} both make" if other != group else f"group {group} makes twice"
            raise InputError.at(files, f"{whose} the {name}")
        groups[name] = group


def _write(manifests: list[Manifest], directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for manifest in manifests:
            (directory / file_name(manifest)).write_text(to_yaml([manifest]), encoding="utf-8")
    except OSError as error:
        raise InputError.at(str(directory), error.strerror or str(error)) from None
    stderr().print(f"{len(manifests)} resources written to {directory}")
