"""`graylane local up`: a mesh on this machine that follows the spec."""

import asyncio

import typer

from meshconfig.cli.common import Files, needs

app = typer.Typer(help="A mesh on this machine: one real Envoy, the services as processes.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """A mesh on this machine: one real Envoy, the services as processes."""


@app.command("up")
def up(file: Files) -> None:
    """Run a mesh until Ctrl-C: follow the spec, and show the way of each request.

    The processes come from a document of kind LocalMesh, in the files or in local.yaml beside them.

    Examples:

        graylane local up -f examples/cat-mouse/graylane.yaml
    """
    with needs("local"):
        from meshconfig.cli.local_up import until_stopped
    asyncio.run(until_stopped(file))
