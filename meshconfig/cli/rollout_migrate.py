"""`graylane rollout migrate`: takes over rollouts that earlier releases kept in ConfigMaps."""

from typing import Annotated

import typer

from meshconfig.cli.cluster import Context, Namespace, connect
from meshconfig.cli.common import needs
from meshconfig.printable import say


def register(app: typer.Typer) -> None:
    app.command("migrate")(migrate)


def migrate(
    namespace: Namespace = "default",
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of every namespace.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be taken over. Write nothing.")] = False,
    context: Context = None,
) -> None:
    """Take over rollouts that earlier releases kept in ConfigMaps: as Rollout objects, each where it was.

    Stop every `graylane rollout run` of the earlier release first. An active rollout continues exactly where it was as
    soon as a controller runs. The command may be cut off and repeated at any time.

    Examples:

        graylane rollout migrate -n demo --dry-run

        graylane rollout migrate --all-namespaces
    """
    client = connect(context)
    with needs("mesh"):
        from meshconfig.rollout import begin
        from meshconfig.rollout import migrate as taking_over
    place = "" if all_namespaces else namespace
    begin.must_be_served(client, namespace)
    left = 0
    for one in taking_over.migrate(client, place, dry_run=dry_run):
        left += bool(one.wrong)
        say(f"{one.name}: {one.wrong}" if one.wrong else f"{one.name}: {one.done}", error=bool(one.wrong))
    if left:
        raise typer.Exit(1)
