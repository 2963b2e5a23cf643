"""What a person decides about a rollout: approve, pause, resume, abort, rollback."""

import json
from collections.abc import Callable
from typing import Annotated

import typer

from meshconfig.cli.cluster import Context, Namespace, connect
from meshconfig.cli.common import Output, OutputFormat, needs
from meshconfig.cli.rollout_show import line
from meshconfig.rollout import events
from meshconfig.rollout.status import status

Name = Annotated[str, typer.Argument(metavar="NAME", help="A rollout's name.", show_default=False)]
By = Annotated[
    str | None,
    typer.Option("--by", metavar="WHO", help="Who says so, for its log; else USER@HOST.", show_default=False),
]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why, for its log.", show_default=False)]

DECISIONS = {
    events.Approve: """Go on: from a pause, or in spite of metrics that failed or gave no data.

    Examples:

        graylane rollout approve cat-v2 -n demo --by eva --note "errors as before"
    """,
    events.Pause: """Keep everything as it is, whatever it is doing, until `resume`.

    A timed pause goes on counting; an analysis begins anew afterwards.

    Examples:

        graylane rollout pause cat-v2 -n demo --note "incident elsewhere"
    """,
    events.Resume: """Take up again what was paused by hand, or stopped after a failure; metrics are measured anew.

    Examples:

        graylane rollout resume cat-v2 -n demo
    """,
    events.Abort: """End it from wherever it is, as Aborted: requests back to the old versions first, then the Pods.

    Only once the old version is being retired there is no way back.

    Examples:

        graylane rollout abort cat-v2 -n demo --note "the wrong image"
    """,
    events.Rollback: """As `abort`, and it ends as RolledBack: for a new version that was tried and found bad.

    Examples:

        graylane rollout rollback cat-v2 -n demo --by eva --note "orders without a price"
    """,
}


def register(app: typer.Typer) -> None:
    """A command for each decision."""
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
        print(json.dumps(status(state), indent=2) if output is Output.JSON else line(state))

    return command
