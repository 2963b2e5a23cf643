"""Kubernetes Events for the entries of a rollout's log, on the Deployments of the new versions."""

from typing import Any

from meshconfig.cluster.objects import Key
from meshconfig.cluster.paths import collection
from meshconfig.cluster.workloads import live
from meshconfig.errors import ClusterError, Conflict
from meshconfig.printable import escape_line
from meshconfig.rollout.runner.context import RunnerContext
from meshconfig.rollout.runner.metrics import Tried
from meshconfig.rollout.state import LogEntry, Phase
from meshconfig.rollout.store import Record

SOURCE = "graylane.dev/rollout"
LONGEST = 1000  # characters; Kubernetes takes 1024


def announce(context: RunnerContext, record: Record, entry: LogEntry) -> None:
    """Creates the Events of one entry. An error is logged and counted, and delays nothing.

    Before a runner has taken the rollout up there are none: the group, and so the Deployments, are not known yet.
    """
    if record.base is None:
        return
    for service, move in record.state.rollout.spec.services.items():
        name = live.deployment(record.base, service, move.to)
        try:
            _create(context, record, entry, name)
        except ClusterError as error:
            context.metrics.failed(Tried.EVENT)
            context.tell(f"event of {name}: {error}")


def _create(context: RunnerContext, record: Record, entry: LogEntry, name: Key) -> None:
    found = live.read(context.client, name)
    if found is None:
        return
    try:
        body = event(record, entry, name, found["metadata"]["uid"])
        context.client.request("POST", collection("Event", name.namespace), body)
    except Conflict:  # a runner before this one has created it
        pass


def event(record: Record, entry: LogEntry, name: Key, uid: str) -> dict[str, Any]:
    """The Event (core/v1) of one entry. Its name is always the same, so that there is one however often it is created.

    Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
    """
    at = f"{entry.at:%Y-%m-%dT%H:%M:%SZ}"
    done = f"{entry.action} by {entry.who}" + (f": {entry.why}" if entry.why else "")
    text = escape_line(f"rollout {record.name}: {done}; now {entry.phase} ({entry.stage}), weight {entry.weight}")
    bad = entry.phase is Phase.DEGRADED or entry.action.kind.failure
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{name.name}.{record.name}-{record.state.generation}-{entry.number}",
            "namespace": name.namespace,
        },
        "involvedObject": {
            "apiVersion": "apps/v1",
            "kind": name.kind,
            "namespace": name.namespace,
            "name": name.name,
            "uid": uid,
        },
        "reason": "Rollout" + str(entry.action).title().replace(" ", ""),
        "message": text if len(text) <= LONGEST else text[: LONGEST - 1] + "…",
        "type": "Warning" if bad else "Normal",
        "source": {"component": "graylane"},
        "reportingComponent": SOURCE,
        "reportingInstance": "graylane",
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
