"""`graylane graph`: a diagram of lanes and the versions that they select."""

from enum import StrEnum
from typing import Annotated

import typer

from meshconfig import graph
from meshconfig.cli.common import Files, read_groups
from meshconfig.printable import escape, put


class Format(StrEnum):
    MERMAID = "mermaid"
    SVG = "svg"


def command(
    file: Files,
    picture: Annotated[Format, typer.Option("--format", help="Diagram format: Mermaid for Markdown pages, or SVG.")] = (
        Format.MERMAID
    ),
) -> None:
    """Draw which version of each service and consumer a lane selects; a dashed line is a fallback to the baseline.

    Examples:

        graylane graph -f graylane.yaml

        graylane graph -f graylane.yaml --format svg > lanes.svg
    """
    draw = graph.mermaid if picture is Format.MERMAID else graph.svg
    put(escape("\n".join(draw(group.spec) for group in read_groups(file))))
