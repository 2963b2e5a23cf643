"""`graylane demo`: two services, two lanes and a real Envoy; ask, and see who answers."""

from typing import Annotated

import typer

from meshconfig.cli.common import needs


def command(
    file: Annotated[
        str | None,
        typer.Option("-f", "--file", metavar="FILE", help="Another spec than the example's.", show_default=False),
    ] = None,
) -> None:
    """Start cat and mouse, prod and gray, behind a real Envoy; send requests; print who answered.

    Exits with 0 if each request went where the spec sends it. Takes any free ports, and leaves nothing behind.

    Examples:

        graylane demo
    """
    with needs("demo"):
        from meshconfig.cli.demo_run import run
    if not run(file):
        raise typer.Exit(1)
