"""`graylane local up`: run a mesh on one machine, routed by the spec."""

import asyncio
from typing import Annotated

import typer

from meshconfig.cli.common import Files, needs

app = typer.Typer(
    help="Run a mesh on this machine: one real Envoy, and each service as a process.", no_args_is_help=True
)


@app.callback()
def group() -> None:
    """Run a mesh on this machine: one real Envoy, and each service as a process."""


@app.command("up")
def up(
    file: Files,
    logs: Annotated[bool, typer.Option("--logs", help="Also print what the processes print.")] = False,
    console: Annotated[
        bool, typer.Option("--console", help="Also serve pages in a browser that show and ask this mesh.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(
            "--console-port",
            metavar="PORT",
            min=1,
            max=65535,
            help="Port of these pages; includes --console. Default: a free one.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run a mesh until Ctrl-C: apply each saved change of the spec, and print each request's path.

    A document of kind LocalMesh, in the files or in local.yaml beside them, describes the processes.

    Examples:

        graylane local up -f examples/cat-mouse/graylane.yaml

        graylane local up -f examples/cat-mouse/graylane.yaml --console
    """
    with needs("local"):
        from meshconfig.cli.local_up import until_stopped
    asyncio.run(until_stopped(file, logs=logs, console=port if port is not None else 0 if console else None))
