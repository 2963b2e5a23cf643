"""`graylane lane`: add lanes to a spec, remove them, and change their shares. `lane_objects` has preview lanes."""

from enum import StrEnum
from typing import Annotated

import typer

from meshconfig.cli import completion, lane_objects
from meshconfig.cli.change_options import with_options
from meshconfig.cli.common import Files
from meshconfig.cli.edit_files import read
from meshconfig.cli.editing import EditJob, EditOptions, GroupOption, carry_out, only_group
from meshconfig.cli.words import pairs, whole_numbers
from meshconfig.edit import lanes
from meshconfig.errors import InputError, nearest
from meshconfig.groups import Group

app = typer.Typer(help="Edit the lanes of a spec, or create preview lanes in a cluster.", no_args_is_help=True)
Lane = Annotated[
    str,
    typer.Argument(metavar="LANE", help="Name of the lane.", show_default=False, autocompletion=completion.lanes),
]
NewLane = Annotated[
    str,
    typer.Argument(metavar="LANE", help="Name of the lane.", show_default=False, autocompletion=completion.new_lanes),
]


class Mode(StrEnum):
    PERMISSIVE = "permissive"
    STRICT = "strict"


@app.callback()
def group_() -> None:
    """Edit the lanes of a spec, or create preview lanes in a cluster.

    `add`, `remove` and `split` edit the spec's file and keep its comments and order. `create`, `list`, `extend` and
    `delete` are about preview lanes, which are objects of a cluster with an end: a lane for each pull request.
    """


@app.command("add")
@with_options(EditOptions)
def add(
    lane: NewLane,
    file: Files,
    versions: Annotated[
        str | None,
        typer.Option(
            metavar="SERVICE=VERSION,…",
            help="Versions that the lane selects. Default: each service's version of the same name as the lane.",
        ),
    ] = None,
    mode: Annotated[
        Mode | None,
        typer.Option(
            help="Services without a version for the lane: answer by the baseline's (permissive), or refuse (strict)."
        ),
    ] = None,
    group: GroupOption = None,
    *,
    how: EditOptions,
) -> None:
    """Add a lane: requests with its tag go to its versions.

    Examples:

        graylane lane add blue -f graylane.yaml --versions cat=v2,mouse=v3

        graylane lane add gray -f graylane.yaml --mode strict --apply
    """
    texts = read(file)
    chosen = pairs(versions.split(",") if versions else [], "--versions", "SERVICE=VERSION")
    draft = lanes.add(only_group(texts, group), lane, versions=chosen, mode=mode.value if mode else None)
    carry_out(EditJob(texts, draft, f"lane add {lane}"), how)


@app.command("remove")
@with_options(EditOptions)
def remove(lane: Lane, file: Files, group: GroupOption = None, *, how: EditOptions) -> None:
    """Remove a lane. An error names each admit rule or split that still leads to it; the baseline cannot be removed.

    Requests that still carry its tag are then routed like untagged requests. The versions stay in the spec.

    Examples:

        graylane lane remove blue -f graylane.yaml --apply
    """
    texts = read(file)
    draft = lanes.remove(only_group(texts, group), lane)
    carry_out(EditJob(texts, draft, f"lane remove {lane}"), how)


@app.command("split")
@with_options(EditOptions)
def split(
    file: Files,
    given: Annotated[
        list[str] | None,
        typer.Argument(metavar="LANE=N…", help="Share of each lane, the baseline among them.", show_default=False),
    ] = None,
    entry: Annotated[
        str | None,
        typer.Option("--entry", metavar="HOST", help="Host of the entry. Required if the spec has several entries."),
    ] = None,
    sticky: Annotated[
        bool | None,
        typer.Option(
            "--sticky/--no-sticky",
            help="Whether each user keeps the lane, or each request is drawn anew. Default: as it is.",
            show_default=False,
        ),
    ] = None,
    buckets: Annotated[
        int | None,
        typer.Option("--buckets", metavar="N", help="Buckets of a sticky split, 2 to 100.", show_default=False),
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Take the split away.")] = False,
    group: GroupOption = None,
    *,
    how: EditOptions,
) -> None:
    """Split an entry's untagged requests among lanes. The given shares replace the old ones.

    Shares are relative to each other. An edit that would move users of a sticky split whom no share moves is refused.

    Examples:

        graylane lane split gray=25 prod=75 -f graylane.yaml --apply

        graylane lane split gray=5 prod=95 -f graylane.yaml --sticky --buckets 20

        graylane lane split --off -f graylane.yaml --entry shop.example.com
    """
    if off == bool(given):
        raise InputError.at("split", "takes LANE=N for each lane, or --off")
    if buckets is not None and sticky is False:
        raise InputError.at("--buckets", "is for a sticky split, and --no-sticky asks for none")
    texts = read(file)
    found = only_group(texts, group)
    shares = whole_numbers(pairs(given, "split", "LANE=N"), "a share") if given else None
    draft = lanes.split(found, _entry(found, entry), shares, sticky=sticky, buckets=buckets)
    said = " ".join(given or ["--off"])
    carry_out(EditJob(texts, draft, f"lane split {said}"), how)


def _entry(group: Group, host: str | None) -> int:
    """The index of an entry.

    Raises:
        InputError: no entry has the host, or none is named among several.
    """
    entries = group.spec.spec.entries
    hosts = [one for entry in entries for one in entry.hosts]
    if host is None and len(entries) == 1:
        return 0
    if host is None:
        raise InputError.at(
            "--entry", f"is missing: choose one of {', '.join(hosts)}" if hosts else "there is no entry"
        )
    found = next((index for index, entry in enumerate(entries) if host in entry.hosts), None)
    if found is None:
        raise InputError.at("--entry", f"there is no entry {host}{nearest(host, hosts)}")
    return found


lane_objects.register(app)
