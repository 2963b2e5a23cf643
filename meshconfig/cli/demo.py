"""`graylane demo`: two services with two versions each behind a real Envoy; shows which version answers."""

from typing import Annotated

import typer

from meshconfig.cli.common import needs


def command(
    file: Annotated[
        str | None,
        typer.Option(
            "-f", "--file", metavar="FILE", help="Spec file to use in place of the example's.", show_default=False
        ),
    ] = None,
    more: Annotated[
        str | None, typer.Argument(metavar="FILE", help="The spec file, as with -f.", show_default=False)
    ] = None,
) -> None:
    """Run the services cat and mouse, each as prod and gray, behind a real Envoy, and show which version answers.

    Exit status: 0 if each request went where the spec sends it, else 1. The demo uses free ports, and leaves no process
    or file.

    Examples:

        graylane demo
    """
    with needs("demo"):
        from meshconfig.cli.demo_run import run
    if not run(file or more):
        raise typer.Exit(1)
