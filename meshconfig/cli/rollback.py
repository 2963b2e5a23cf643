"""`graylane rollback`: apply the spec of an earlier revision."""

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
            "--to",
            metavar="N",
            help="Revision number from `graylane history`; 0 gives back what --adopt took over. "
            "Default: the last success before the current one.",
        ),
    ] = None,
    *,
    how: ApplyOptions,
) -> None:
    """Apply the spec of an earlier revision, with the same plan and steps as any apply. Files are not changed.

    If the cluster has a LaneGroup object of the group, the spec is written into it. If the object is in Git, commit it.

    Examples:

        graylane rollback pets -n demo

        graylane rollback pets -n demo --to 4
    """
    with needs("mesh"):
        from meshconfig.cluster.change import rollback_target
        from meshconfig.cluster.object_write import OwnedError, document_of
    client = connect(how.context)
    wanted = rollback_target(client, namespace, group, to)
    try:
        each(client, [(wanted, document_of(wanted.spec))], how)
    except OwnedError as error:
        number = wanted.action.removeprefix("rollback to ")
        show = f"graylane history {group} -n {namespace} --show {number}"
        raise OwnedError(f"{error}\nto commit: {show} prints the spec of that revision") from None
