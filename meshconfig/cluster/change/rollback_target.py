"""The target of a rollback: the spec of an earlier revision as the wanted state."""

from collections.abc import Sequence

from meshconfig.cluster import history
from meshconfig.cluster.change.prepare import Wanted
from meshconfig.cluster.client import Client
from meshconfig.cluster.history import Revision
from meshconfig.errors import InputError


def rollback_target(client: Client, namespace: str, group: str, to: int | None) -> Wanted:
    """The state of a group at an earlier revision.

    Parameters:
        to: the revision's number; None for the newest success with a spec other than the last applied.

    Raises:
        InputError: there is no such revision, or no earlier success.
    """
    past = history.revisions(client, namespace, group)
    one = _numbered(past, to, f"{namespace}/{group}") if to is not None else history.before_last(past)
    if one is None:
        raise InputError.at("graylane rollback", f"group {namespace}/{group} has no earlier revision that succeeded")
    return Wanted(group, namespace, one.spec, f"rollback to {one.number}", one.gone)


def _numbered(past: Sequence[Revision], number: int, group: str) -> Revision:
    for one in past:
        if one.number == number:
            return one
    known = ", ".join(str(one.number) for one in past) or "none"
    raise InputError.at("--to", f"group {group} has no revision {number}; it has {known}")
