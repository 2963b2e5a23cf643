"""The change of a group, made by whoever is responsible for it.

Where the cluster has a LaneGroup object of the group, the controller is: a command writes the object, and follows what
the controller does. Where it has none, the command changes the mesh itself.
"""

import time
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING

from meshconfig.cli import cluster
from meshconfig.cli.activity import Activity
from meshconfig.cli.change_options import ChangeOptions
from meshconfig.cli.common import needs, stderr
from meshconfig.cli.following import followed
from meshconfig.cli.outcome import MeshOutcome, ObjectOutcome, Outcome
from meshconfig.errors import InputError

if TYPE_CHECKING:
    from meshconfig.cluster.change import Wanted
    from meshconfig.cluster.client import Client
    from meshconfig.cluster.group_change import GroupChange
    from meshconfig.cluster.lanegroups import GroupObject
    from meshconfig.cluster.object_write import CheckedWrite
    from meshconfig.cluster.objects import Manifest

# Options that say how a plan is carried out, which the controller knows by its own.
CONTROLLERS = ("break_lock", "drain", "wait", "istiod", "allow_namespace", "fast")


def find(client: "Client", wanted: "Wanted", document: "Manifest", how: ChangeOptions) -> "GroupChange":
    """Find out who is responsible for a group. Nothing is written. Makes one call if it has no object.

    Parameters:
        document: the group as an object.

    Raises:
        InputError: an option has no effect on what a controller does.
        ClusterError: the object may not be changed as it is wanted.
    """
    with needs("mesh"):
        from meshconfig.cluster import group_change, lanegroups
    live = lanegroups.find(client, wanted.namespace, wanted.group)
    if live and not (wanted.gone and lanegroups.FINALIZER not in live.finalizers):
        _check_options(live, how)
    return group_change.of(client, wanted, document, live, adopt=how.choices().adopt)


def carry_out(
    client: "Client", change: "GroupChange", how: ChangeOptions, *, begin: Callable[[], None] = lambda: None
) -> Outcome:
    """Make a change, and print its progress on standard error.

    Parameters:
        begin: called after all checks, before the first write. If it raises, nothing is written.

    Raises:
        ClusterError: the change could not begin, or did not come to its end.
    """
    if change.live is None:
        result = cluster.carry_out(client, change.wanted, how.choices(), begin=begin)
        return MeshOutcome(result, how.dry_run)
    if how.dry_run:
        return _planned(client, change, change.live)
    if change.checked is None:
        return _deleted(client, change.wanted, change.live, how)
    begin()
    return _written(client, change.checked, how)


def _check_options(live: "GroupObject", how: ChangeOptions) -> None:
    """
    Raises:
        InputError: an option is given that the controller does not hear of.
    """
    for one in fields(how):
        if one.name in CONTROLLERS and getattr(how, one.name) != one.default:
            option = f"--{one.name.replace('_', '-')}"
            said = f"has no effect: the controller carries out what {live.key} says, by its own options"
            raise InputError.at(option, f"{said}; leave it away, or give it to graylane controller")


def _written(client: "Client", checked: "CheckedWrite", how: ChangeOptions) -> ObjectOutcome:
    from meshconfig.cluster.object_write import GIT, git_owner

    began, calls = time.monotonic(), client.calls
    owner = git_owner(checked.live)
    after = checked.carry_out(client)
    if owner and checked.changes:
        Activity(stderr()).line(f"{owner.manager} owns the object: {GIT[owner.manager]} takes it back", "yellow")
    after = followed(client, after, how.timeout)
    differences = [checked.difference] if checked.changes else []
    return ObjectOutcome(checked.live.key, differences, after, time.monotonic() - began, client.calls - calls)


def _deleted(client: "Client", wanted: "Wanted", live: "GroupObject", how: ChangeOptions) -> ObjectOutcome:
    from meshconfig.cluster import lanegroups, object_write

    began, calls, mesh = time.monotonic(), client.calls, None
    lanegroups.delete(client, wanted.namespace, wanted.group)
    left = lanegroups.read(client, wanted.namespace, wanted.group)
    if left and left.uid == live.uid:
        live = left
        followed(client, live, how.timeout, deleting=True)
    if lanegroups.FINALIZER not in live.finalizers:  # no controller had taken it, so that none takes the routes away
        mesh = MeshOutcome(cluster.carry_out(client, wanted, how.choices()))
    differences = [object_write.deletion(live)]
    return ObjectOutcome(live.key, differences, None, time.monotonic() - began, client.calls - calls, mesh)


def _planned(client: "Client", change: "GroupChange", live: "GroupObject") -> ObjectOutcome:
    from meshconfig.cluster.object_write import deletion

    began, calls, checked = time.monotonic(), client.calls, change.checked
    differences = [checked.difference] if checked and checked.changes else []
    if change.wanted.gone:
        differences = [deletion(live)]
    mesh = _mesh(client, change.wanted)
    seconds, made = time.monotonic() - began, client.calls - calls
    return ObjectOutcome(live.key, differences, live, seconds, made, mesh, dry_run=True)


def _mesh(client: "Client", wanted: "Wanted") -> MeshOutcome | None:
    """The plan that the controller would carry out; None, with a note, where the caller may not read the mesh."""
    from meshconfig.cluster.change import ChangeResult
    from meshconfig.rollout.beside import planned

    shown = cluster.ProgressPrinter(stderr())
    prepared = planned(client, wanted, shown.noted)
    if prepared is None:
        return None
    for note in prepared.notes:
        shown.noted(note)
    shown.planned(prepared)
    return MeshOutcome(ChangeResult(prepared, None, None, 0.0, 0), dry_run=True)
