"""`graylane rollback`: back to what a group was."""

from typing import Annotated

import typer

from meshconfig.cli.apply import DryRun, each
from meshconfig.cli.cluster import (
    Adopt,
    BreakLock,
    Context,
    Drain,
    Fast,
    GroupName,
    Istiod,
    Namespace,
    Timeout,
    Wait,
    connect,
)
from meshconfig.cli.common import Output, OutputFormat, batch, needs


def command(
    group: GroupName,
    namespace: Namespace = "default",
    to: Annotated[
        int | None,
        typer.Option(
            "--to", metavar="N", help="A revision of `graylane history`; else the last that succeeded before this one."
        ),
    ] = None,
    dry_run: DryRun = False,
    adopt: Adopt = False,
    fast: Fast = False,
    break_lock: BreakLock = False,
    timeout: Timeout = 300.0,
    drain: Drain = 5.0,
    wait: Wait = 10.0,
    istiod: Istiod = None,
    context: Context = None,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Plan and apply an earlier revision's spec, as any other change. The spec's file is not touched.

    Examples:

        graylane rollback pets -n demo

        graylane rollback pets -n demo --to 4
    """
    with needs("mesh"):
        from meshconfig.cluster.change import Choices, earlier
    choices = Choices(adopt, fast, dry_run, break_lock, timeout, drain, wait, istiod)
    with batch():
        client = connect(context)
        each(client, [earlier(client, namespace, group, to)], choices, output)
