"""`graylane render`: a spec to Istio's resources."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from meshconfig.cli.common import Files, batch, models, stderr, stdout
from meshconfig.cli.render_files import Comparison, compare, differences, write
from meshconfig.errors import InputError
from meshconfig.model import Model
from meshconfig.render import GATEWAY_SERVICE, GROUP, Manifest, ingress, render, sidecars, to_yaml

ENV = "env"  # the field of propagation where PROPAGATION_REMOTE_FIELDS is not set
_STYLES = {"-": "red", "+": "green", "@": "cyan"}


class IstioApiVersion(StrEnum):
    V1 = "v1"
    V1BETA1 = "v1beta1"


def command(
    file: Files,
    directory: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output-dir",
            metavar="DIR",
            help="One file per resource there; those of these groups that are no longer rendered are removed.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; print what in DIR is not current, and exit with 1.")
    ] = False,
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

        graylane render -f specs/ -o k8s/mesh --sidecar --check
    """
    if check and directory is None:
        raise InputError.at("--check", "takes -o DIR, the directory to look at")
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
        _tell_header(compiled)
        if directory is None:
            print(to_yaml(manifests), end="")
            return
        comparison = compare(manifests, compiled, directory)
    if check:
        _check(comparison)
    else:
        _write(comparison)


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


def _tell_header(compiled: list[Model]) -> None:
    """Services read `env` unless they are told otherwise: where they are not, each of them drops the tag."""
    for model in compiled:
        if model.tag != ENV:
            name = f"{model.namespace}/{model.group}"
            setting = f"{name}: the tag's header is {model.tag}, so set PROPAGATION_REMOTE_FIELDS={model.tag}"
            stderr().print(f"note: {setting} in each service that uses propagation", markup=False)


def _write(comparison: Comparison) -> None:
    write(comparison)
    removed = len(comparison.superfluous)
    written = len(comparison.files) - removed
    stderr().print(
        f"{comparison.directory}: {written} written, {comparison.unchanged} unchanged, {removed} removed", markup=False
    )
    _tell_left(comparison)


def _check(comparison: Comparison) -> None:
    console = stdout()
    for line in differences(comparison):
        console.print(Text(line, style=_STYLES.get(line[:1], "")))
    _tell_left(comparison)
    if not comparison.files:
        stderr().print(f"{comparison.directory} is current: {comparison.unchanged} files", markup=False)
        return
    counts = {
        "missing": comparison.missing,
        "different": comparison.different,
        "superfluous": comparison.superfluous,
    }
    said = ", ".join(f"{len(files)} {what}" for what, files in counts.items() if files)
    stderr().print(f"{comparison.directory} is not current: {said}; render without --check writes it", markup=False)
    sys.exit(1)


def _tell_left(comparison: Comparison) -> None:
    if comparison.left:
        names = ", ".join(path.name for path in comparison.left)
        message = f"left alone, a group of the same name in another namespace may have written it: {names}"
        stderr().print(message, markup=False)
