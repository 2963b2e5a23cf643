"""`graylane rollback`: back to what a group was."""

from typing import Annotated

import typer

from meshconfig.cli.apply import each
from meshconfig.cli.change_options import ApplyOptions, with_options
from meshconfig.cli.cluster import GroupName, Namespace, connect
from meshconfig.cli.common import needs


@with_options(ApplyOptions)
def command(
    group: GroupName,
    namespace: Namespace = "default",
    to: Annotated[
        int | None,
        typer.Option(
            "--to", metavar="N", help="A revision of `graylane history`; else the last that succeeded before this one."
        ),
    ] = None,
    *,
    how: ApplyOptions,
) -> None:
    """Plan and apply an earlier revision's spec, as any other change. The spec's file is not touched.

    Examples:

        graylane rollback pets -n demo

        graylane rollback pets -n demo --to 4
    """
    with needs("mesh"):
        from meshconfig.cluster.change import rollback_target
    client = connect(how.context)
    each(client, [rollback_target(client, namespace, group, to)], how)
