"""What the commands for preview lanes share: options, and the wait for the end of a lane."""

from typing import TYPE_CHECKING, Annotated

import typer

from meshconfig.cli import completion

if TYPE_CHECKING:  # the Kubernetes client takes a third of a second to import
    from meshconfig.cluster.client import Client
    from meshconfig.cluster.previews import PreviewObject

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="Name of the preview lane.",
        show_default=False,
        autocompletion=completion.preview_lanes,
    ),
]
Namespace = Annotated[
    str,
    typer.Option(
        "-n", "--namespace", help="Namespace of the lane and its LaneGroup.", autocompletion=completion.namespaces
    ),
]
Timeout = Annotated[float, typer.Option(metavar="SECONDS", min=0, help="Maximum seconds to wait without progress.")]


def until_gone(client: "Client", live: "PreviewObject", timeout: float) -> None:
    """Follow a lane that is being deleted until it has gone.

    Raises:
        ClusterError: it does not go.
    """
    from meshconfig.cli.following import followed
    from meshconfig.cluster import previews

    left = previews.read(client, live.namespace, live.name)
    if left and left.uid == live.uid:
        followed(client, left, timeout, deleting=True)
