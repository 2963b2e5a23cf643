"""`graylane lane`: add lanes to a spec, and remove them."""

from enum import StrEnum
from typing import Annotated

import typer

from meshconfig.cli import completion
from meshconfig.cli.change_options import with_options
from meshconfig.cli.common import Files
from meshconfig.cli.edit_files import read
from meshconfig.cli.editing import EditJob, EditOptions, GroupOption, carry_out, only_group
from meshconfig.edit import lanes
from meshconfig.errors import InputError

app = typer.Typer(help="Add a lane to a spec, or remove one.", no_args_is_help=True)
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
    """Add a lane to a spec, or remove one. Each command edits the spec's file and keeps its comments and order."""


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


def pairs(words: list[str], option: str, shape: str) -> dict[str, str]:
    """Arguments of the form `NAME=VALUE` as a mapping.

    Raises:
        InputError: an argument has another form, or a name is given twice.
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals and value):
            raise InputError.at(option, f"takes {shape}, not {word!r}")
        if name in found:
            raise InputError.at(option, f"{name} is given twice")
        found[name] = value
    return found
