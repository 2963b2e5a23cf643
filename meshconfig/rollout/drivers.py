"""Whether somebody drives the rollouts of a namespace: a controller, by its Lease."""

from datetime import datetime, timedelta

from meshconfig.cluster import lock
from meshconfig.cluster.client import Client
from meshconfig.cluster.rights import HOMES
from meshconfig.errors import ClusterError
from meshconfig.rollout.actions import Notify, Wait, WatchPods
from meshconfig.rollout.machine import resume
from meshconfig.rollout.store import Record

LEASE = "controller.leader"  # of the controller; its dot keeps it apart from a group's Lease: a group's name has none
LATE = timedelta(seconds=30)  # without a word of a controller about a rollout that asks for something


def is_driven(client: Client, namespace: str) -> bool:
    """Whether a controller holds its Lease: that of the namespace, or of the namespace where controllers of all
    namespaces are. True where that may not be read. One call or two."""
    try:
        return any(lock.holder(lock.read(client, place, LEASE)) for place in (namespace, HOMES["graylane-controller"]))
    except ClusterError:
        return True


def is_late(record: Record, now: datetime) -> bool:
    """Whether a rollout asks for something that a controller at work would have begun by now."""
    state = record.state
    idle = (Notify, Wait, WatchPods)
    asks = any(not isinstance(one, idle) for one in resume(state).actions)
    waits = any(isinstance(one, Wait) and now - one.until > LATE for one in resume(state).actions)
    last = state.log[-1].at if state.log else state.since
    unseen = record.is_new or state.told < (state.log[-1].number if state.log else 0)
    return waits or ((asks or unseen) and now - max(last, state.since) > LATE)


def hint(namespace: str) -> str:
    return f"nobody drives it: graylane controller -n {namespace} does"
