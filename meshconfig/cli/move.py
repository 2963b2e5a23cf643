"""`graylane move`: a live group goes from one backend to the other, and the spec's file says so."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meshconfig.cli import cluster, group_objects
from meshconfig.cli.change_options import ChangeOptions, with_options
from meshconfig.cli.common import BackendChoice, Files, Output, needs, stdout
from meshconfig.cli.console import Text
from meshconfig.cli.diff import COLOURS, plan_json, plan_lines
from meshconfig.cli.edit_files import read, staged
from meshconfig.cli.outcome import MeshOutcome, Outcome
from meshconfig.edit.backend import set_backend
from meshconfig.edit.files import FileChange, changes
from meshconfig.errors import ClusterError
from meshconfig.groups import Group, groups
from meshconfig.printable import say, say_json

if TYPE_CHECKING:
    from meshconfig.cluster.change import ChangeResult, Prepared, Wanted
    from meshconfig.cluster.client import Client
    from meshconfig.cluster.objects import Manifest

To = Annotated[
    BackendChoice,
    typer.Option("--to", help="The backend to move to: Istio's own resources, or those of the Gateway API."),
]


@with_options(ChangeOptions)
def command(file: Files, to: To, *, how: ChangeOptions) -> None:
    """Move live groups to the other backend, step by step, without losing a request; then write spec.backend.

    The group must be in the cluster as the spec says: a move changes nothing else. The new routes stand beside the old
    ones, and decide alike, until every proxy has them; then the old ones go. If a move stops half-way, requests are
    still served; the same command continues it, and the other --to goes back. docs/gateway-api.md says what cannot be
    moved.

    Examples:

        graylane move -f graylane.yaml --to gateway --dry-run

        graylane move -f graylane.yaml --to gateway

        graylane move -f graylane.yaml --to istio --drain 30
    """
    texts = read(file)
    client = cluster.connect(how.context)
    done: list[dict[str, Any]] = []
    found: list[FileChange] = []
    moving = groups(texts.every, list(texts.by_file), to.value)
    for group in moving:
        _check_stays(client, group)
    for number, group in enumerate(moving):
        after = texts.edited(set_backend(texts.groups[number], to.value))
        written = changes(texts, after)
        done.append(_moved(client, group, after.groups[number].document, written, how))
        found, texts = [*found, *written], after
    if how.output is Output.JSON:
        files = [{"file": one.file, "diff": "\n".join(one.diff())} for one in found]
        say_json({"files": files, "dryRun": how.dry_run, "moved": done})


def _moved(
    client: "Client", group: Group, document: "Manifest", written: Sequence[FileChange], how: ChangeOptions
) -> dict[str, Any]:
    """Moves one group. Its file is written once the mesh has moved. A command that was cut off just before it finds
    nothing to do but that.

    Returns:
        As for `graylane apply`, with {"plan": as for `graylane plan`, "object": as for the mesh, or null}.
    """
    with needs("mesh"):
        from meshconfig.cluster.change import Wanted
        from meshconfig.cluster.revision import MOVE
    namespace, name = group.key
    action = f"{MOVE}{group.spec.spec.backend}"
    wanted = Wanted(name, namespace, group.spec, action, moves=True, locate=group.locate)
    with staged(written) as files:
        result = _carried_out(client, wanted, how)
        if not how.dry_run:
            files.commit()
    moved = MeshOutcome(result, how.dry_run)
    if how.output is Output.TEXT:
        _show(result.prepared, written, how)
        say(*moved.summary())
    of_object = None if how.dry_run else _object(client, wanted, document, how)
    return {
        **moved.as_json(),
        "plan": plan_json(result.prepared),
        "object": of_object.as_json() if of_object else None,
    }


def _check_stays(client: "Client", group: Group) -> None:
    """
    Raises:
        ClusterError: the group's object is being deleted, and its controller takes the routes away.
    """
    with needs("mesh"):
        from meshconfig.cluster import lanegroups
    live = lanegroups.find(client, *group.key)
    if live and live.deleting:
        raise ClusterError(f"nothing was changed: {live.key} is being deleted, and with it what would move")


def _carried_out(client: "Client", wanted: "Wanted", how: ChangeOptions) -> "ChangeResult":
    """
    Raises:
        NotAsAppliedError: the group is not as its spec says. Where it has preview lanes, these are named, beside what
            differs: no apply of the spec takes them away.
    """
    from meshconfig.cluster import previews
    from meshconfig.cluster.change import NotAsAppliedError

    try:
        return cluster.carry_out(client, wanted, how.choices())
    except NotAsAppliedError as error:
        lanes: list[str] = []
        with suppress(ClusterError):  # who may not list them reads what differs
            each = previews.each(client, wanted.namespace, wanted.group)
            lanes = [one.name for one in each if one.admitted]
        if not lanes:
            raise
        found = f"{error.found}; it has preview lanes ({', '.join(lanes)}), and a move takes none along"
        end = f"graylane lane delete {lanes[0]} -n {wanted.namespace}"
        raise NotAsAppliedError(found, f"move once they have ended, or end them: {end}") from None


def _object(client: "Client", wanted: "Wanted", document: "Manifest", how: ChangeOptions) -> Outcome | None:
    """Writes the new backend into the group's object, if the cluster has one, so that its controller goes on.

    Until then the controller refuses the object, whose backend the mesh has no more.
    """
    from meshconfig.cluster import group_change, lanegroups
    from meshconfig.cluster.object_write import OwnedError

    live = lanegroups.find(client, wanted.namespace, wanted.group)
    if live is None:
        return None
    try:
        change = group_change.of(client, replace(wanted, moves=False), document, live, adopt=False)
    except OwnedError as error:
        said = (
            f"the mesh has moved and the file is written; until {live.key} says so too, its controller changes nothing"
        )
        raise OwnedError(f"{said}\n{error}") from None
    outcome = group_objects.carry_out(client, change, how)
    if how.output is Output.TEXT:
        say(*outcome.summary())
    return outcome


def _show(prepared: "Prepared", written: Sequence[FileChange], how: ChangeOptions) -> None:
    """The plan of a dry run, and what changes in the file."""
    out = stdout()
    for line, style in plan_lines(prepared) if how.dry_run else ():
        out.print(Text(line, style))
    for one in written:
        for line in one.diff():
            out.print(Text(line, COLOURS.get(line[:1], "")))
