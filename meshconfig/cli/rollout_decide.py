"""The decisions about a rollout: `graylane rollout approve`, `pause`, `resume`, `abort` and `rollback`."""

from collections.abc import Callable
from typing import Annotated

import typer

from meshconfig.cli.cluster import Context, Namespace, connect
from meshconfig.cli.common import Output, OutputFormat, needs
from meshconfig.cli.rollout_show import line
from meshconfig.printable import say, say_json
from meshconfig.rollout import events
from meshconfig.rollout.status import status

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the rollout.", show_default=False)]
By = Annotated[
    str | None,
    typer.Option(
        "--by", metavar="WHO", help="Who decides, for the rollout's log. Default: USER@HOST.", show_default=False
    ),
]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Reason, for the rollout's log.", show_default=False)]

DECISIONS = {
    events.Approve: """Let a rollout proceed: from a pause, or although metrics failed or gave no data.

    Examples:

        graylane rollout approve cat-v2 -n demo --by eva --note "errors as before"
    """,
    events.Pause: """Hold a rollout where it is, in whatever stage, until `resume`.

    The clock of a timed pause keeps running. An analysis starts again after `resume`.

    Examples:

        graylane rollout pause cat-v2 -n demo --note "incident elsewhere"
    """,
    events.Resume: """Continue a rollout that was paused by hand or stopped after a failure. Metrics are measured again.

    Examples:

        graylane rollout resume cat-v2 -n demo
    """,
    events.Abort: """End a rollout as Aborted: move all requests back to the old versions, then restore their Pods.

    This works in every stage until the rollout starts to retire the old versions.

    Examples:

        graylane rollout abort cat-v2 -n demo --note "the wrong image"
    """,
    events.Rollback: """End a rollout as RolledBack. Like `abort`, but records that the new version proved bad.

    Examples:

        graylane rollout rollback cat-v2 -n demo --by eva --note "orders without a price"
    """,
}


def register(app: typer.Typer) -> None:
    """Add one command for each decision to a Typer app."""
    for event, text in DECISIONS.items():
        app.command(events.word(event), help=text)(_command(event))


def _command(event: type[events.Decision]) -> Callable[..., None]:
    def command(
        rollout: Name,
        namespace: Namespace = "default",
        by: By = None,
        note: Note = "",
        context: Context = None,
        output: OutputFormat = Output.TEXT,
    ) -> None:
        client = connect(context)
        with needs("mesh"):
            from meshconfig.cluster.lease import operator
            from meshconfig.rollout import store
        state = store.say(client, namespace, rollout, event(by or operator(), note))
        if output is Output.JSON:
            say_json(status(state))
        else:
            say(line(state))

    return command
