"""`graylane lane`: lanes come to a spec and go from it."""

from enum import StrEnum
from typing import Annotated

import typer

from meshconfig.cli.change_options import with_options
from meshconfig.cli.common import Files
from meshconfig.cli.edit_files import read
from meshconfig.cli.editing import EditJob, EditOptions, GroupOption, carry_out, only_group
from meshconfig.edit import lanes
from meshconfig.errors import InputError

app = typer.Typer(help="Add a lane to a spec, or remove it.", no_args_is_help=True)
Lane = Annotated[str, typer.Argument(metavar="LANE", help="A lane's name.", show_default=False)]


class Mode(StrEnum):
    PERMISSIVE = "permissive"
    STRICT = "strict"


@app.callback()
def group_() -> None:
    """Add a lane to a spec, or remove it: the file is edited, its comments and order stay."""


@app.command("add")
@with_options(EditOptions)
def add(
    lane: Lane,
    file: Files,
    versions: Annotated[
        str | None,
        typer.Option(
            metavar="SERVICE=VERSION,…",
            help="Which version of a service it means; else each service's version of the lane's name.",
        ),
    ] = None,
    mode: Annotated[
        Mode | None,
        typer.Option(help="May services without a version of the lane be answered by the baseline's (permissive)?"),
    ] = None,
    group: GroupOption = None,
    *,
    how: EditOptions,
) -> None:
    """Add a lane: who sends its tag gets its versions.

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
    """Remove a lane; refused while an admit or a split leads to it, or it is the baseline.

    Its tag means nothing any more: who sends it is answered as those are who send none. Versions stay.

    Examples:

        graylane lane remove blue -f graylane.yaml --apply
    """
    texts = read(file)
    draft = lanes.remove(only_group(texts, group), lane)
    carry_out(EditJob(texts, draft, f"lane remove {lane}"), how)


def pairs(words: list[str], option: str, shape: str) -> dict[str, str]:
    """`a=b` words as a mapping.

    Raises:
        InputError: a word is none, or a name stands twice.
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals and value):
            raise InputError.at(option, f"takes {shape}, not {word!r}")
        if name in found:
            raise InputError.at(option, f"{name} stands twice")
        found[name] = value
    return found
