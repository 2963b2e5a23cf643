"""`graylane version`: add, weigh, promote and retire a version of a service."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from meshconfig.cli import completion
from meshconfig.cli.change_options import with_options
from meshconfig.cli.common import Files, needs
from meshconfig.cli.edit_files import read
from meshconfig.cli.editing import EditJob, EditOptions, GroupOption, carry_out, group_with
from meshconfig.cli.words import pairs, whole_numbers
from meshconfig.edit import labels, uses, versions
from meshconfig.edit.draft import Draft
from meshconfig.errors import InputError
from meshconfig.load import FieldPath
from meshconfig.spec import Autoscale, ServiceSpec

app = typer.Typer(help="Add a version of a service, set weights, promote it, or retire it.", no_args_is_help=True)
Service = Annotated[
    str,
    typer.Argument(
        metavar="SERVICE", help="Service in the spec.", show_default=False, autocompletion=completion.services
    ),
]
Version = Annotated[
    str,
    typer.Argument(
        metavar="VERSION", help="Version of the service.", show_default=False, autocompletion=completion.versions
    ),
]


@app.callback()
def group_() -> None:
    """Add, weigh, promote and retire versions. Each command edits the spec's file and keeps its comments and order."""


@app.command("add")
@with_options(EditOptions)
def add(
    service: Service,
    version: Version,
    file: Files,
    old: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="OLD",
            help="Existing version to copy.",
            show_default=False,
            autocompletion=completion.versions,
        ),
    ],
    image: Annotated[
        str | None,
        typer.Option(
            metavar="IMG", help="Container image: clone OLD's Deployment with it. Default: change only the spec."
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Label that only this version's Pods have. Default: OLD's labels with its name replaced by VERSION.",
        ),
    ] = None,
    replicas: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Number of Pods. Default: as many as OLD has.")
    ] = None,
    autoscale: Annotated[
        str | None,
        typer.Option(
            metavar="MIN,MAX[,CPU]",
            help="Create a HorizontalPodAutoscaler. CPU is its target in percent, 80 by default.",
        ),
    ] = None,
    weight: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Share of untagged requests, relative to other weights; percent if there are none. Default: none.",
        ),
    ] = None,
    workload: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name of its Deployment. Default: OLD's name with the version replaced, or SERVICE-VERSION.",
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(metavar="HOST", help="Its host, for a service outside the mesh. Such a version has no Pods."),
    ] = None,
    manifests: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="Directory with OLD's Deployment manifest; the new manifest is written beside it.",
        ),
    ] = None,
    group: GroupOption = None,
    *,
    how: EditOptions,
) -> None:
    """Add a version of a service to the spec, with --image also its Deployment, with --weight also its share.

    With --image, graylane clones OLD's Deployment under a new name, selector and labels: the live Deployment with
    --apply, the one in a manifest file with --manifests. With --apply, graylane creates the Deployment first and waits
    until its Pods are ready. If they are not ready within --timeout, it changes no route and no file. The same command
    continues.

    Examples:

        graylane version add cat v2 -f graylane.yaml --from v1 --image cat:2 --weight 30 --apply

        graylane version add cat v2 -f graylane.yaml --from v1 --image cat:2 --manifests k8s/demo

        graylane version add pay gray -f graylane.yaml --from prod --host sandbox.pay.example.com --apply
    """
    texts = read(file)
    found = group_with(texts, service, group)
    spec = found.spec.spec.services[service]
    if old not in spec.versions:
        raise Draft(found).error(_versions(service), uses.unknown(f"version of {service}", old, spec.versions))
    if host is not None or spec.external:
        of_pods = {"image": image, "label": label, "replicas": replicas, "autoscale": autoscale, "workload": workload}
        _outside(service, spec, host, [*of_pods, "manifests"], [*of_pods.values(), manifests])
        draft = versions.add(found, service, version, labels={}, weight=weight, host=host)
        carry_out(EditJob(texts, draft, f"version add {service} {version}"), how)
        return
    name = workload or labels.workload(spec, old, version) or f"{service}-{version}"
    own = labels.labels(spec, old, version, pairs(label or [], "--label", "KEY=VALUE"))
    scale = _autoscale(autoscale) if autoscale else None
    named = None if name == f"{service}-{version}" else name
    draft = versions.add(found, service, version, labels=own, workload=named, autoscale=scale, weight=weight)
    job = EditJob(texts, draft, f"version add {service} {version}")
    if image is not None:
        if not how.apply and manifests is None:
            raise InputError.at(
                "--image", "needs --apply (creates the Deployment in the cluster) or --manifests (writes it to a file)"
            )
        with needs("mesh"):
            from meshconfig.cli import new_workload
        asked = new_workload.Asked(service, old, name, own, image, replicas, scale is not None, manifests)
        job = new_workload.with_deployment(job, asked, how)
    elif replicas is not None or manifests is not None:
        raise InputError.at("--replicas, --manifests", "apply to the Deployment, which is created only with --image")
    carry_out(job, how)


def _outside(service: str, spec: ServiceSpec, host: str | None, names: Sequence[str], values: Sequence[object]) -> None:
    """Check the options of a version outside the mesh.

    Raises:
        InputError: it has no host, or options that are for Pods; or the service is inside.
    """
    if host is None:
        raise InputError.at("--host", f"{service} is outside the mesh: give the host of the version")
    if spec.external is None:
        raise InputError.at("--host", f"{service} has Pods; only a service with external has hosts")
    if given := [name for name, value in zip(names, values, strict=True) if value not in (None, [])]:
        raise InputError.at(f"--{given[0]}", f"is for Pods, and {service} is outside the mesh")


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
        list[str],
        typer.Argument(
            metavar="VERSION=N…",
            help="Every version that gets untagged requests.",
            show_default=False,
            autocompletion=completion.weights,
        ),
    ],
    file: Files,
    group: GroupOption = None,
    *,
    how: EditOptions,
) -> None:
    """Split untagged requests by weights. The given weights replace the service's old ones.

    Weights are relative to each other. They do not affect tagged requests: a lane's tag selects its version as before.
    The service's `default`, if any, is removed, because a spec has either `default` or `weights`.

    Examples:

        graylane version weights cat v1=80 v2=20 -f graylane.yaml --apply
    """
    texts = read(file)
    chosen = whole_numbers(pairs(given, "weights", "VERSION=N"), "a weight")
    draft = versions.weights(group_with(texts, service, group), service, chosen)
    carry_out(EditJob(texts, draft, f"version weights {service} {' '.join(given)}"), how)


@app.command("mirror")
@with_options(EditOptions)
def mirror(
    service: Service,
    file: Files,
    version: Annotated[
        str | None,
        typer.Argument(
            metavar="[VERSION]",
            help="Version that gets the copies.",
            show_default=False,
            autocompletion=completion.versions,
        ),
    ] = None,
    percent: Annotated[
        float | None, typer.Option(metavar="N", help="Share of the requests that is copied. Default: all of them.")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Copy no more requests.")] = False,
    group: GroupOption = None,
    *,
    how: EditOptions,
) -> None:
    """Copy requests of no lane to a version, whose answers are thrown away: a rehearsal before it gets real requests.

    Requests of the baseline and untagged ones are copied. Copies carry no lane's tag: what the version calls is the
    baseline's.

    Examples:

        graylane version mirror cat v2 --percent 10 -f graylane.yaml --apply

        graylane version mirror cat --off -f graylane.yaml --apply
    """
    if off == (version is not None):
        raise InputError.at("VERSION", "give either a version that gets the copies, or --off")
    if off and percent is not None:
        raise InputError.at("--percent", "has no meaning with --off")
    texts = read(file)
    draft = versions.mirror(group_with(texts, service, group), service, version, percent)
    said = "--off" if version is None else version
    carry_out(EditJob(texts, draft, f"version mirror {service} {said}"), how)


@app.command("takeover")
@with_options(EditOptions)
def takeover(service: Service, version: Version, file: Files, group: GroupOption = None, *, how: EditOptions) -> None:
    """Promote a version: it gets all untagged requests, and those of lanes that name no version of the service.

    The service's weights are removed, and its mirror to this version; its default and the baseline lane name the
    version. A rule that named a version which served untagged requests so far now names this one. Lanes, rules, splits
    and a mirror that name another version are kept and reported.

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
            help="Delete or keep its Deployment. Default: delete it only if graylane created it.",
        ),
    ] = None,
    group: GroupOption = None,
    *,
    how: EditOptions,
) -> None:
    """Remove a version that nothing uses. If a weight, rule, lane or mirror uses it, the error names file and line.

    With --apply, graylane removes the subset first, then the autoscaler, then the Deployment, and writes the file last,
    so that a command that stopped half-way can be repeated. It deletes a Deployment that `graylane version add --apply`
    created, or any with --delete-workload, but never one that another version shares.

    Examples:

        graylane version retire cat v1 -f graylane.yaml --apply
    """
    texts = read(file)
    found = group_with(texts, service, group)
    outside = found.spec.spec.services[service].external is not None
    if outside and delete is not None:
        raise InputError.at("--delete-workload, --keep-workload", f"{service} is outside the mesh and has no Pods")
    draft = versions.retire(found, service, version)
    job = EditJob(texts, draft, f"version retire {service} {version}")
    if how.apply and not outside:
        with needs("mesh"):
            from meshconfig.cli import old_workload
        job = old_workload.with_end(job, service, version, delete)
    elif delete:
        raise InputError.at("--delete-workload", "needs --apply: the Deployment is in the cluster")
    carry_out(job, how)


def _versions(service: str) -> FieldPath:
    return ("spec", "services", service, "versions")
