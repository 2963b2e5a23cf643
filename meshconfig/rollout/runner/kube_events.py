"""Kubernetes Events for the entries of a rollout's log, on the Rollout and on the Deployments of the new versions."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from meshconfig.backend.kinds import KINDS
from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Key
from meshconfig.cluster.paths import collection
from meshconfig.cluster.rollouts import RolloutObject
from meshconfig.cluster.workloads import live
from meshconfig.errors import ClusterError, Conflict
from meshconfig.printable import escape_line
from meshconfig.rollout import store
from meshconfig.rollout.runner.context import RunnerContext
from meshconfig.rollout.runner.metrics import Tried
from meshconfig.rollout.state import LogEntry, Obstacle, Phase
from meshconfig.rollout.store import Record

SOURCE = "graylane.dev/rollout"
LONGEST = 1000  # characters; Kubernetes takes 1024


@dataclass(frozen=True, slots=True)
class About:
    """The object that an Event is about."""

    key: Key
    uid: str


def announce(context: RunnerContext, record: Record, entry: LogEntry) -> None:
    """Creates the Events of one entry. An error is logged and counted, and delays nothing.

    Before a controller has taken the rollout up there are none on Deployments: the group is not known yet.
    """
    about = About(record.stored.key, record.stored.uid)
    _try(context, about.key, lambda: _create(context.client, event(record, entry, about)))
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
    body = _event(about, name, obstacle.reason, text, store.now(), warning=True)
    _try(context, about.key, lambda: _create(context.client, body))


def _try(context: RunnerContext, name: Key, create: Callable[[], None]) -> None:
    try:
        create()
    except ClusterError as error:
        context.metrics.failed(Tried.EVENT)
        context.tell(f"event of {name}: {error}")


def _on_deployment(context: RunnerContext, record: Record, entry: LogEntry, name: Key) -> None:
    found = live.read(context.client, name)
    if found is not None:
        _create(context.client, event(record, entry, About(name, found["metadata"]["uid"])))


def _create(client: Client, body: dict[str, Any]) -> None:
    with suppress(Conflict):  # a controller before this one has created it
        client.request("POST", collection("Event", body["metadata"]["namespace"]), body)


def event(record: Record, entry: LogEntry, about: About) -> dict[str, Any]:
    """The Event of one entry. Its name is always the same, so that there is one however often it is created."""
    done = f"{entry.action} by {entry.who}" + (f": {entry.why}" if entry.why else "")
    text = escape_line(f"rollout {record.name}: {done}; now {entry.phase} ({entry.stage}), weight {entry.weight}")
    number = f"{record.state.generation}-{entry.number}"
    of = "" if about.key == record.stored.key else f"{record.name}-"
    name = f"{about.key.name}.{of}{number}"
    reason = "Rollout" + str(entry.action).title().replace(" ", "")
    warning = entry.phase is Phase.DEGRADED or entry.action.kind.failure
    return _event(about, name, reason, text, entry.at, warning=warning)


def _event(about: About, name: str, reason: str, text: str, moment: datetime, *, warning: bool) -> dict[str, Any]:
    """An Event (core/v1).

    Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
    """
    at = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": about.key.namespace},
        "involvedObject": {
            "apiVersion": KINDS[about.key.kind].api,
            "kind": about.key.kind,
            "namespace": about.key.namespace,
            "name": about.key.name,
            "uid": about.uid,
        },
        "reason": reason,
        "message": text if len(text) <= LONGEST else text[: LONGEST - 1] + "…",
        "type": "Warning" if warning else "Normal",
        "source": {"component": "graylane"},
        "reportingComponent": SOURCE,
        "reportingInstance": "graylane",
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
