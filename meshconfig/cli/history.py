"""`graylane history`: the revisions of a group."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from meshconfig.cli.cluster import Context, GroupName, Namespace, connect
from meshconfig.cli.common import Output, OutputFormat, needs, stdout
from meshconfig.cli.console import Table, Text
from meshconfig.errors import InputError, nearest
from meshconfig.printable import put, say, say_json
from meshconfig.render import to_yaml
from meshconfig.spec import API_VERSION

if TYPE_CHECKING:  # the Kubernetes client takes a third of a second to import
    from meshconfig.cluster.client import Client
    from meshconfig.cluster.history import Past, Revision

STYLES = {"succeeded": "green", "running": "cyan", "failed": "red", "interrupted": "red"}
LONGEST = 80


def command(
    group: GroupName,
    namespace: Namespace = "default",
    show: Annotated[
        int | None,
        typer.Option(
            "--show", metavar="N", help="Print the spec of this revision, and nothing else.", show_default=False
        ),
    ] = None,
    context: Context = None,
    output: OutputFormat = Output.TEXT,
) -> None:
    """List the revisions of a group: when it was applied, by whom, with which result, and what changed.

    The last line is the newest. `interrupted` means that the process stopped half-way; the next apply continues.

    Examples:

        graylane history pets -n demo

        graylane history pets -n demo --output json

        graylane history pets -n demo --show 3 > graylane.yaml
    """
    client = connect(context)
    with needs("mesh"):
        from meshconfig.cluster import lock
        from meshconfig.cluster.history import as_json
    past = known(client, namespace, group)
    if show is not None:
        put(_spec(past, show))
        return
    for error in past.unreadable:
        say(*error.lines, error=True)
    found = past.revisions
    holder = lock.holder(lock.read(client, namespace, group))
    if output is Output.JSON:
        say_json([as_json(one, holder) for one in found])
    else:
        stdout().print(_table(found, holder))


def known(client: "Client", namespace: str, group: str) -> "Past":
    """The history of a group, with at least one revision. Makes one API call if there are any.

    Raises:
        InputError: the group has no revision; the message lists the groups that have.
    """
    from meshconfig.cluster import history

    found = history.read(client, namespace, group)
    if found.revisions or found.unreadable:
        return found
    there = history.groups(client, namespace)
    hint = nearest(group, there) if there else "; no group was ever applied there"
    raise InputError.at("graylane", f"namespace {namespace} has no group {group}{hint}")


def _spec(past: "Past", number: int) -> str:
    for one in past.revisions:
        if one.number == number:
            return to_yaml([{**json.loads(one.document), "apiVersion": API_VERSION}])
    if error := past.unreadable_number(number):
        raise error
    numbers = ", ".join(str(one.number) for one in past.revisions)
    raise InputError.at("--show", f"there is no revision {number}; the group has {numbers}")


def _table(found: "Sequence[Revision]", holder: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("revision", justify="right")
    for name in ("when", "who", "action", "outcome", "changes"):
        table.add_column(name)
    for one in found:
        outcome = one.seen(holder).value
        table.add_row(
            str(one.number), when(one.started), who(one), one.action, Text(outcome, STYLES[outcome]), _changes(one)
        )
    return table


def when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"


def who(one: "Revision") -> str:
    """`kubernetes-admin (ann@laptop)`."""
    return f"{one.who} ({one.host})" if one.who else one.host


def _changes(one: "Revision") -> Text:
    """The reason of a failure, or what changed: the resource if it is one, else counts by kind of change."""
    if one.outcome == "failed":
        return Text(short(one.message), "red")
    if len(one.changed) == 1:
        return Text(one.changed[0])
    kinds = [line.partition(" ")[0] for line in one.changed]
    return Text(", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)) or "nothing")


def short(message: str) -> str:
    """The first line of it."""
    line = message.partition("\n")[0]
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
