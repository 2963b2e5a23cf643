"""Whether `graylane move` is under way: it changes the mesh first, and then has the group's object say so."""

from datetime import UTC, datetime

from meshconfig.cluster import history, lock
from meshconfig.cluster.client import Client
from meshconfig.cluster.history import RevisionStatus

WRITES = 15.0  # seconds that a move may take to write the object, once the mesh has moved; machines' clocks differ


def mover(client: Client, namespace: str, group: str) -> str | None:
    """Who moves a group to the other backend just now, as the history has it; None where nobody does.

    A move that was cut off has left a revision that runs, and no process that holds the group's Lease for it.
    """
    last = history.read(client, namespace, group).last
    if last is None or not last.moves:
        return None
    outcome = last.seen(lock.holder(lock.read(client, namespace, group)))
    if outcome is RevisionStatus.SUCCEEDED and last.ended:
        seconds = abs((datetime.now(UTC) - last.ended).total_seconds())
        return last.who if seconds < WRITES else None
    return last.who if outcome is RevisionStatus.RUNNING else None
