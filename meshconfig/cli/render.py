"""`graylane render`: compile a spec to Istio's resources."""

import re
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshconfig import groups
from meshconfig.cli.batch import batch
from meshconfig.cli.common import (
    BackendOption,
    Files,
    backend_name,
    note_header,
    read_documents,
    read_groups,
    stderr,
    stdout,
)
from meshconfig.errors import InputError
from meshconfig.model import Model
from meshconfig.printable import put, say
from meshconfig.render import (
    GATEWAY_SERVICE,
    GROUP,
    Manifest,
    ingress,
    render,
    sidecars,
    telemetries,
    to_yaml,
    unlabelled,
    with_waypoint,
)
from meshconfig.render.waypoint import USES
from meshconfig.spec.base import LABEL

if TYPE_CHECKING:
    from meshconfig.cli.render_files import Comparison

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
            help="Write one file per resource to DIR, and remove files of resources that the spec no longer has.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Write nothing. Print which files in DIR are out of date, and exit with 1 if any is."
        ),
    ] = False,
    istio_api: Annotated[
        IstioApiVersion,
        typer.Option("--istio-api", help="API version of the Istio resources. Use v1beta1 for Istio before 1.22."),
    ] = IstioApiVersion.V1,
    sidecar: Annotated[
        bool,
        typer.Option(
            "--sidecar",
            help="Add a Sidecar per namespace, so that istiod sends proxies only the services that they call.",
        ),
    ] = False,
    telemetry: Annotated[
        bool,
        typer.Option(
            "--telemetry",
            help="Add a Telemetry per namespace: the lane in Istio's metrics and spans, and access logs by OTLP.",
        ),
    ] = False,
    backend: BackendOption = None,
    experimental: Annotated[
        bool,
        typer.Option(
            "--experimental", help="With the backend gateway, write fields of Gateway API's experimental channel too."
        ),
    ] = False,
    waypoint: Annotated[
        str | None,
        typer.Option(
            "--waypoint",
            metavar="NAME",
            help="With the backend gateway in ambient mode: add a waypoint of this name per namespace, and its label "
            "to Services.",
            show_default=False,
        ),
    ] = None,
    with_ingress: Annotated[
        bool, typer.Option("--ingress", help="Add a Kubernetes Ingress in front of the ingress gateway.")
    ] = False,
    ingress_service: Annotated[
        str,
        typer.Option(
            "--ingress-service",
            metavar="NAMESPACE/NAME",
            help="Service of the ingress gateway, the backend of --ingress.",
        ),
    ] = GATEWAY_SERVICE,
    whole: Annotated[
        bool,
        typer.Option(
            "--object",
            help="Print each group as one document of graylane.dev/v1, joined from its files, in place of Istio's "
            "resources. Comments are lost.",
        ),
    ] = False,
) -> None:
    """Compile specs to Gateways, VirtualServices, DestinationRules and autoscalers, as YAML.

    With the backend gateway they become HTTPRoutes and Gateways of the Gateway API, and a Service for each version.

    Examples:

        graylane render -f graylane.yaml

        graylane render -f graylane.yaml | kubectl apply --server-side -f -

        graylane render -f specs/ -o k8s/mesh --sidecar

        graylane render -f specs/ -o k8s/mesh --sidecar --check

        graylane render --object -f specs/ > graylane.yaml

        graylane render -f graylane.yaml --backend gateway | kubectl apply --server-side -f -

        graylane render -f graylane.yaml --backend gateway --waypoint waypoint
    """
    if whole:
        _check_alone(
            {
                "-o": directory is not None,
                "--sidecar": sidecar,
                "--telemetry": telemetry,
                "--waypoint": waypoint is not None,
                "--ingress": with_ingress,
            }
        )
        with batch():
            put(to_yaml(groups.objects(read_documents(file), file)))
        return
    if check and directory is None:
        raise InputError.at("--check", "needs -o DIR, the directory to check")
    if ingress_service.count("/") != 1 or not all(ingress_service.split("/")):
        raise InputError.at("--ingress-service", f"has the form NAMESPACE/NAME, not {ingress_service!r}")
    if waypoint is not None and not re.search(LABEL, waypoint):
        raise InputError.at("--waypoint", f"takes a name such as waypoint, not {waypoint!r}")
    with batch():
        found = read_groups(file, backend_name(backend))
        compiled = [group.model for group in found]
        manifests = render(compiled, istio_api=istio_api.value, experimental=experimental)
        if waypoint:
            manifests = with_waypoint(compiled, manifests, waypoint)
            _tell_unlabelled(compiled, waypoint)
        if sidecar:
            manifests += sidecars(compiled, istio_api.value)
        if telemetry:
            manifests += telemetries(found, istio_api.value)
        if with_ingress:
            manifests += _ingresses(compiled, ingress_service)
        _check_names(manifests, ", ".join(file))
        note_header(compiled)
        if directory is None:
            put(to_yaml(manifests))
            return
        from meshconfig.cli.render_files import compare

        comparison = compare(manifests, compiled, directory)
    if check:
        _check(comparison)
    else:
        _write(comparison)


def _check_alone(given: Mapping[str, bool]) -> None:
    """
    Parameters:
        given: the options for Istio's resources, and whether each is given.

    Raises:
        InputError: one of them is given with --object.
    """
    if found := next((name for name, is_given in given.items() if is_given), None):
        raise InputError.at("--object", f"prints the groups themselves: leave {found} away")


def _tell_unlabelled(compiled: list[Model], waypoint: str) -> None:
    """Says which Services need the label besides: those that callers name are not graylane's."""
    by_namespace: dict[str, list[str]] = {}
    for one in unlabelled(compiled):
        by_namespace.setdefault(one.namespace, []).append(one.name)
    for namespace, names in by_namespace.items():
        label = f"kubectl label service -n {namespace} {' '.join(names)} {USES}={waypoint}"
        say(f"note: callers' requests go through the waypoint after: {label}", error=True)


def _ingresses(compiled: list[Model], service: str) -> list[Manifest]:
    return [ingress(entry, model, service) for model in compiled for entry in model.entries]


def _check_names(manifests: list[Manifest], files: str) -> None:
    """Reject two resources of one name, because the second would overwrite the first in a directory and in a cluster.

    Raises:
        InputError: two groups have the same service or entry.
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


def _write(comparison: "Comparison") -> None:
    from meshconfig.cli.render_files import write

    write(comparison)
    removed = len(comparison.superfluous)
    written = len(comparison.files) - removed
    stderr().print(f"{comparison.directory}: {written} written, {comparison.unchanged} unchanged, {removed} removed")
    _tell_left(comparison)


def _check(comparison: "Comparison") -> None:
    from meshconfig.cli.console import Text
    from meshconfig.cli.render_files import differences

    console = stdout()
    for line in differences(comparison):
        console.print(Text(line, style=_STYLES.get(line[:1], "")))
    _tell_left(comparison)
    if not comparison.files:
        stderr().print(f"{comparison.directory} is up to date: {comparison.unchanged} files")
        return
    counts = {
        "missing": comparison.missing,
        "different": comparison.different,
        "superfluous": comparison.superfluous,
    }
    said = ", ".join(f"{len(files)} {what}" for what, files in counts.items() if files)
    stderr().print(f"{comparison.directory} is out of date: {said}; run render without --check to update it")
    sys.exit(1)


def _tell_left(comparison: "Comparison") -> None:
    if comparison.left:
        names = ", ".join(path.name for path in comparison.left)
        message = f"left alone, a group of the same name in another namespace may have written it: {names}"
        stderr().print(message)
