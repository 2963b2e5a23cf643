"""`graylane replicas`: the plain Kubernetes canary, which splits requests by numbers of Pods."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from meshconfig import groups
from meshconfig.cli import completion
from meshconfig.cli.common import Files, Output, OutputFormat, read_groups, stdout
from meshconfig.cli.console import Table
from meshconfig.errors import InputError, nearest
from meshconfig.printable import say_json
from meshconfig.replicas import Count, replica_counts
from meshconfig.spec import LaneGroup, ServiceInGroup


def command(
    context: typer.Context,
    service: Annotated[
        str, typer.Argument(help="Service in the spec.", show_default=False, autocompletion=completion.services)
    ],
    file: Files,
    total: Annotated[
        int,
        typer.Option("--total", metavar="N", min=1, help="Total number of Pods of all versions.", show_default=False),
    ],
    output: OutputFormat = Output.TEXT,
) -> None:
    """Compute numbers of Pods that approximate the weights without a mesh, and the remaining error.

    Without a mesh, Kubernetes spreads requests evenly over the Pods of a Service. The weights are the service's own, or
    else the `split` of the entry that leads to it. For a split, `--LANE VERSION` sets the version of a lane. A plain
    Service cannot route by header: see docs/without-a-mesh.md.

    Examples:

        graylane replicas -f graylane.yaml reviews --total 7

        graylane replicas -f graylane.yaml cat --total 10 --prod v1 --gray v2
    """
    group = _group_of(service, read_groups(file))
    here = group.service(service)
    if here.spec.external:
        raise InputError.at("replicas", f"{service} is outside the mesh and has no Pods here")
    counts = replica_counts(_weights(here, _lanes(context.args, here)), total)
    if output is Output.JSON:
        say_json([_json(count) for count in counts])
    else:
        stdout().print(_table(counts))


def _group_of(service: str, found: Sequence[groups.Group]) -> LaneGroup:
    for group in found:
        if service in group.spec.spec.services:
            return group.spec
    names = [name for group in found for name in group.spec.spec.services]
    raise InputError.at(found[0].documents[0].file, f"there is no service {service}{nearest(service, names)}")


def _lanes(arguments: Sequence[str], service: ServiceInGroup) -> dict[str, str]:
    """`--prod v1 --gray v2` as lane → version."""
    chosen: dict[str, str] = {}
    lanes, versions = service.group.spec.lanes, service.spec.versions
    words = [word for argument in arguments for word in argument.split("=", 1)]
    for name, version in zip(words[::2], [*words[1::2], ""], strict=False):
        lane = name.removeprefix("--")
        if not name.startswith("--") or lane not in lanes:
            raise InputError.at("replicas", f"unknown option {name}{nearest(name, [f'--{each}' for each in lanes])}")
        if version not in versions:
            raise InputError.at("replicas", f"{name}: there is no version {version!r}{nearest(version, versions)}")
        chosen[lane] = version
    return chosen


def _weights(service: ServiceInGroup, chosen: Mapping[str, str]) -> dict[str, int]:
    if service.spec.weights is not None:
        if chosen:
            raise InputError.at("replicas", f"{service.name} has weights by version; --LANE is for an entry's split")
        return dict(service.spec.weights)
    weights: dict[str, int] = {}
    for lane, weight in _split(service).items():
        version = chosen.get(lane) or service.version_in(lane) or service.baseline
        if version is not None:
            weights[version] = weights.get(version, 0) + weight
    return weights


def _split(service: ServiceInGroup) -> Mapping[str, int]:
    entries = [one for one in service.group.spec.entries if any(route.service == service.name for route in one.routes)]
    splits = [entry.split for entry in entries if entry.split]
    return splits[0] if splits else {service.group.spec.tag.default: 1}


def _json(count: Count) -> dict[str, object]:
    return {
        "version": count.version,
        "replicas": count.replicas,
        "wanted": round(float(count.wanted), 6),
        "got": round(float(count.got), 6),
        "error": round(float(count.error), 6),
    }


def _table(counts: Sequence[Count]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("version")
    for name in ("replicas", "wanted", "got", "error"):
        table.add_column(name, justify="right")
    for one in counts:
        cells = (f"{float(one.wanted):.1%}", f"{float(one.got):.1%}", f"{float(one.error) * 100:+.1f} points")
        table.add_row(one.version, str(one.replicas), *cells)
    return table
