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
    file: Files, logs: Annotated[bool, typer.Option("--logs", help="Also print what the processes print.")] = False
) -> None:
    """Run a mesh until Ctrl-C: apply each saved change of the spec, and print each request's path.

    A document of kind LocalMesh, in the files or in local.yaml beside them, describes the processes.

    Examples:

        graylane local up -f examples/cat-mouse/graylane.yaml
    """
    with needs("local"):
        from meshconfig.cli.local_up import until_stopped
    asyncio.run(until_stopped(file, logs=logs))
