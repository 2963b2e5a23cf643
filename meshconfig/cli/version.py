"""`graylane version`: the life of a service's version, from its first Pod to its end."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from meshconfig.cli.change_options import with_options
from meshconfig.cli.common import Files, needs
from meshconfig.cli.edit_files import read
from meshconfig.cli.editing import EditJob, EditOptions, GroupOption, carry_out, group_with
from meshconfig.cli.lane import pairs
from meshconfig.edit import labels, uses, versions
from meshconfig.edit.draft import Draft
from meshconfig.errors import InputError
from meshconfig.load import FieldPath
from meshconfig.spec import Autoscale

app = typer.Typer(help="Add a version of a service, weigh it, let it take over, retire it.", no_args_is_help=True)
Service = Annotated[str, typer.Argument(metavar="SERVICE", help="A service of the spec.", show_default=False)]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="A version of it.", show_default=False)]


@app.callback()
def group_() -> None:
    """The life of a version: each command edits the spec's file, keeps its comments and order, and shows the change."""


@app.command("add")
@with_options(EditOptions)
def add(
    service: Service,
    version: Version,
    file: Files,
    old: Annotated[str, typer.Option("--from", metavar="OLD", help="The version that it is like.", show_default=False)],
    image: Annotated[
        str | None,
        typer.Option(metavar="IMG", help="Clone OLD's Deployment with this image; else only the spec changes."),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="A label of its Pods alone; else OLD's, with VERSION in its name's place."
        ),
    ] = None,
    replicas: Annotated[int | None, typer.Option(metavar="N", min=0, help="Pods; else as many as OLD has.")] = None,
    autoscale: Annotated[
        str | None,
        typer.Option(metavar="MIN,MAX[,CPU]", help="A HorizontalPodAutoscaler; CPU in percent, 80 if not given."),
    ] = None,
    weight: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Its part of the untagged, relative to the other weights; where there are none, of 100. Else nothing.",
        ),
    ] = None,
    workload: Annotated[
        str | None, typer.Option(metavar="NAME", help="Its Deployment; else named as OLD's is, or SERVICE-VERSION.")
    ] = None,
    manifests: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="OLD's Deployment is there; the new one is written beside it.",
        ),
    ] = None,
    group: GroupOption = None,
    *,
    how: EditOptions,
) -> None:
    """Add a version: a Deployment like another version's, its place in the spec, and perhaps a weight.

    With --image, OLD's Deployment is cloned under a new name, selector and labels: the live one with --apply, the one
    in a file with --manifests. With --apply it comes first; no route leads to it until its Pods are ready. If they are
    not within --timeout, nothing is routed and nothing written, and the same command goes on.

    Examples:

        graylane version add cat v2 -f graylane.yaml --from v1 --image cat:2 --weight 30 --apply

        graylane version add cat v2 -f graylane.yaml --from v1 --image cat:2 --manifests k8s/demo
    """
    texts = read(file)
    found = group_with(texts, service, group)
    spec = found.spec.spec.services[service]
    if old not in spec.versions:
        raise Draft(found).error(_versions(service), uses.unknown(f"version of {service}", old, spec.versions))
    name = workload or labels.workload(spec, old, version) or f"{service}-{version}"
    own = labels.labels(spec, old, version, pairs(label or [], "--label", "KEY=VALUE"))
    scale = _autoscale(autoscale) if autoscale else None
    named = None if name == f"{service}-{version}" else name
    draft = versions.add(found, service, version, labels=own, workload=named, autoscale=scale, weight=weight)
    job = EditJob(texts, draft, f"version add {service} {version}")
    if image is not None:
        if not how.apply and manifests is None:
            raise InputError.at(
                "--image", "takes --apply (the Deployment goes to the cluster) or --manifests (to a file)"
            )
        with needs("mesh"):
            from meshconfig.cli import new_workload
        asked = new_workload.Asked(service, old, name, own, image, replicas, scale is not None, manifests)
        job = new_workload.with_deployment(job, asked, how)
    elif replicas is not None or manifests is not None:
        raise InputError.at("--replicas, --manifests", "are about the Deployment, which is only made with --image")
    carry_out(job, how)


def _autoscale(text: str) -> Autoscale:
    """`MIN,MAX[,CPU]`."""
    words = text.split(",")
    if not (2 <= len(words) <= 3 and all(word.isdecimal() for word in words)):
        raise InputError.at("--autoscale", f"takes MIN,MAX or MIN,MAX,CPU, not {text!r}")
    try:
        return Autoscale.model_validate(dict(zip(("min", "max", "cpu"), map(int, words), strict=False)))
    except ValidationError as error:
        raise InputError.at("--autoscale", error.errors()[0]["msg"].removeprefix("Value error, ")) from None


@app.command("weights")
@with_options(EditOptions)
def weigh(
    service: Service,
    given: Annotated[
        list[str], typer.Argument(metavar="VERSION=N…", help="All versions that get some.", show_default=False)
    ],
    file: Files,
    group: GroupOption = None,
    *,
    how: EditOptions,
) -> None:
    """Spread the untagged by weights: these and no others, relative to each other.

    A header beats every weight: a lane's tag leads to its version as before. `default` gives way to the weights.

    Examples:

        graylane version weights cat v1=80 v2=20 -f graylane.yaml --apply
    """
    texts = read(file)
    chosen = pairs(given, "weights", "VERSION=N")
    if wrong := [f"{name}={value}" for name, value in chosen.items() if not value.isdecimal()]:
        raise InputError.at(wrong[0], "a weight is a whole number of 0 or more")
    draft = versions.weights(group_with(texts, service, group), service, {name: int(n) for name, n in chosen.items()})
    carry_out(EditJob(texts, draft, f"version weights {service} {' '.join(given)}"), how)


@app.command("takeover")
@with_options(EditOptions)
def takeover(service: Service, version: Version, file: Files, group: GroupOption = None, *, how: EditOptions) -> None:
    """Give all untagged requests, and those of lanes without a version of their own, to one version.

    The service's weights go; its default and the baseline lane name the version. What a rule gave to a version that it
    takes over from, it gives to this one. Lanes, rules and splits that name a third version keep it, and are told.

    Examples:

        graylane version takeover cat v2 -f graylane.yaml --apply
    """
    texts = read(file)
    draft = versions.takeover(group_with(texts, service, group), service, version)
    carry_out(EditJob(texts, draft, f"version takeover {service} {version}"), how)


@app.command("retire")
@with_options(EditOptions)
def retire(
    service: Service,
    version: Version,
    file: Files,
    delete: Annotated[
        bool | None,
        typer.Option(
            "--delete-workload/--keep-workload",
            help="Delete its Deployment, whoever made it; or leave it. Else it is deleted if graylane made it.",
        ),
    ] = None,
    group: GroupOption = None,
    *,
    how: EditOptions,
) -> None:
    """Remove a version that nothing uses; refused with file and line of each weight, rule, lane or mirror that does.

    With --apply its subset goes first, then its autoscaler, then its Deployment, and the file is written last: a
    command that stopped half-way can be given again. A Deployment is deleted if `graylane version add --apply` made it,
    or with --delete-workload; never while another version has the same one.

    Examples:

        graylane version retire cat v1 -f graylane.yaml --apply
    """
    texts = read(file)
    found = group_with(texts, service, group)
    draft = versions.retire(found, service, version)
    job = EditJob(texts, draft, f"version retire {service} {version}")
    if how.apply:
        with needs("mesh"):
            from meshconfig.cli import old_workload
        job = old_workload.with_end(job, service, version, delete)
    elif delete:
        raise InputError.at("--delete-workload", "takes --apply: the Deployment is in the cluster")
    carry_out(job, how)


def _versions(service: str) -> FieldPath:
    return ("spec", "services", service, "versions")
