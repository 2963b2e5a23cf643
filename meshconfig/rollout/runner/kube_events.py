"""Kubernetes Events for the entries of a rollout's log, on the Rollout and on the Deployments of the new versions."""

from collections.abc import Callable
from functools import partial
from typing import Any

from meshconfig.cluster import events
from meshconfig.cluster.events import About, create
from meshconfig.cluster.objects import Key
from meshconfig.cluster.rollouts import RolloutObject
from meshconfig.cluster.workloads import live
from meshconfig.errors import ClusterError
from meshconfig.printable import escape_line
from meshconfig.rollout import store
from meshconfig.rollout.runner.context import RunnerContext
from meshconfig.rollout.runner.metrics import Tried
from meshconfig.rollout.state import LogEntry, Obstacle, Phase
from meshconfig.rollout.store import Record

SOURCE = "graylane.dev/rollout"


def announce(context: RunnerContext, record: Record, entry: LogEntry) -> None:
    """Creates the Events of one entry. An error is logged and counted, and delays nothing.

    Before a controller has taken the rollout up there are none on Deployments: the group is not known yet.
    """
    about = About(record.stored.key, record.stored.uid)
    _try(context, about.key, lambda: create(context.client, event(record, entry, about)))
    if record.base is None:
        return
    for service, move in record.state.rollout.spec.services.items():
        name = live.deployment(record.base, service, move.to)
        _try(context, name, partial(_on_deployment, context, record, entry, name))


def announce_obstacle(context: RunnerContext, stored: RolloutObject, obstacle: Obstacle) -> None:
    """Creates a Warning on the Rollout, for what a person has to see to. An error is logged, and delays nothing."""
    about = About(stored.key, stored.uid)
    text = escape_line(f"rollout {stored.name}: {obstacle.message}")
    # One for each version of the object; it is not repeated while nothing is changed.
    name = f"{stored.name}.{stored.version}"
    body = events.event(about, name, obstacle.reason, text, store.now(), warning=True, source=SOURCE)
    _try(context, about.key, lambda: create(context.client, body))


def _try(context: RunnerContext, name: Key, attempt: Callable[[], None]) -> None:
    try:
        attempt()
    except ClusterError as error:
        context.metrics.failed(Tried.EVENT)
        context.tell(f"event of {name}: {error}")


def _on_deployment(context: RunnerContext, record: Record, entry: LogEntry, name: Key) -> None:
    found = live.read(context.client, name)
    if found is not None:
        create(context.client, event(record, entry, About(name, found["metadata"]["uid"])))


def event(record: Record, entry: LogEntry, about: About) -> dict[str, Any]:
    """The Event of one entry. Its name is always the same, so that there is one however often it is created."""
    done = f"{entry.action} by {entry.who}" + (f": {entry.why}" if entry.why else "")
    text = escape_line(f"rollout {record.name}: {done}; now {entry.phase} ({entry.stage}), weight {entry.weight}")
    number = f"{record.state.generation}-{entry.number}"
    of = "" if about.key == record.stored.key else f"{record.name}-"
    name = f"{about.key.name}.{of}{number}"
    reason = "Rollout" + str(entry.action).title().replace(" ", "")
    warning = entry.phase is Phase.DEGRADED or entry.action.kind.failure
    return events.event(about, name, reason, text, entry.at, warning=warning, source=SOURCE)
