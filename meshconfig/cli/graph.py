"""`graylane graph`: a diagram of lanes and the versions that they select."""

import sys
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from meshconfig import graph
from meshconfig.cli.common import Files, read_groups, stdout
from meshconfig.graph import Cell, cells, hosts_of, ways_in
from meshconfig.palette import REFUSED, colours
from meshconfig.printable import escape, put
from meshconfig.spec import LaneGroup

if TYPE_CHECKING:  # in a pipe nothing is drawn with rich
    from rich.console import RenderableType

    from meshconfig.cli.console import Text


class Format(StrEnum):
    TABLE = "table"
    MERMAID = "mermaid"
    SVG = "svg"


def command(
    file: Files,
    picture: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="Diagram format: a table, Mermaid for Markdown pages, or SVG. Default: a table on a terminal, Mermaid "
            "in a pipe.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Draw which version of each service and consumer a lane selects, its fallbacks, and how requests enter it.

    Each lane has one colour. An entry's arrows into lanes have the shares of its split.

    Examples:

        graylane graph -f graylane.yaml

        graylane graph -f graylane.yaml --format mermaid >> README.md

        graylane graph -f graylane.yaml --format svg > lanes.svg
    """
    chosen = picture or (Format.TABLE if sys.stdout.isatty() else Format.MERMAID)
    specs = [group.spec for group in read_groups(file)]
    if chosen is Format.TABLE:
        console = stdout()
        for spec in specs:
            for part in _table(spec):
                console.print(part)
        return
    draw = graph.mermaid if chosen is Format.MERMAID else graph.svg
    put(escape("\n".join(map(draw, specs))))


def _table(group: LaneGroup) -> "Iterator[RenderableType]":
    """A row for each lane, a line for each entry, and what the signs mean."""
    from meshconfig.cli.console import Table, Text

    rows = cells(group)
    colour = colours(group.spec.lanes, group.spec.tag.default)
    table = Table(box=None, pad_edge=False)
    table.add_column(f"{group.metadata.namespace}/{group.metadata.name}")
    for cell in rows[0]:
        table.add_column(f"{cell.service} (takes {cell.topic})" if cell.topic else cell.service)
    for row in rows:
        shown = (_shown(cell, colour[cell.lane if cell.own else group.spec.tag.default]) for cell in row)
        table.add_row(Text(row[0].lane, f"bold {colour[row[0].lane]}"), *shown)
    yield table
    for entry in group.spec.entries:
        line = Text(f"entry {hosts_of(entry)}: ")
        for number, (lane, why) in enumerate(ways_in(group, entry).items()):
            line.append("; " if number else "").append(lane, colour[lane]).append(f" by {why}")
        yield line
    yield Text("(…): fallback to the baseline; → host outside the mesh; 503: strict, no version here", "dim")


def _shown(cell: Cell, colour: str) -> "Text":
    from meshconfig.cli.console import Text

    text = f"{cell.text} → {cell.outside}" if cell.outside else cell.text
    if not cell.version:
        return Text(text, REFUSED)
    return Text(text if cell.own else f"({text})", colour)
