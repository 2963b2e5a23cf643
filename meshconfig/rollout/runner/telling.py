"""Each entry of a rollout's log is told: as a Kubernetes Event on the new versions' Deployments, and to webhooks.

In a thread of its own, so that nobody who listens slowly holds a rollout up. An entry may be told twice, by a runner
that was killed and by the next: an Event has the same name then and is there once, a webhook's message the same
`webhook-id`.
"""

import base64
import threading
from collections.abc import Iterable
from typing import Any

from meshconfig.cluster.objects import Key
from meshconfig.cluster.paths import collection, path
from meshconfig.cluster.workloads import live
from meshconfig.errors import ClusterError, Conflict
from meshconfig.rollout.actions import Notify
from meshconfig.rollout.events import Told
from meshconfig.rollout.notify import message, send
from meshconfig.rollout.runner.world import World
from meshconfig.rollout.state import Entry, Phase
from meshconfig.rollout.store import Record, now
from meshconfig.rollout.todo import actions
from meshconfig.spec.rollout import Webhook

SOURCE = "graylane.dev/rollout"
LONGEST = 1000  # characters; Kubernetes takes 1024


class Teller:
    """Tells of one rollout, the oldest entry first."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._thread: threading.Thread | None = None
        self._told = 0

    def offer(self, record: Record) -> Told | None:
        """What has been told since, to be remembered; what has not is begun with."""
        if self._thread is not None and self._thread.is_alive():
            return None
        if self._told > record.state.told:
            return Told(self._told)
        if numbers := {one.number for one in actions(record.state) if isinstance(one, Notify)}:
            entries = [entry for entry in record.state.log if entry.number in numbers]
            self._thread = threading.Thread(target=self._tell, args=(record, entries), daemon=True)
            self._thread.start()
        return None

    def _tell(self, record: Record, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if self._world.stop.is_set():
                return
            for name in _deployments(record):
                self._event(record, entry, name)
            for webhook in record.state.rollout.spec.notify:
                self._webhook(record, entry, webhook)
            self._told = entry.number

    def _event(self, record: Record, entry: Entry, name: Key) -> None:
        try:
            found = live.read(self._world.client, name)
            if found is not None:
                body = event(record, entry, name, found["metadata"]["uid"])
                self._world.client.request("POST", collection("Event", name.namespace), body)
        except Conflict:  # there already
            pass
        except ClusterError as error:
            self._failed("event", f"event of {name}: {error}")

    def _webhook(self, record: Record, entry: Entry, webhook: Webhook) -> None:
        try:
            secret = self._secret(record, webhook)
        except ClusterError as error:
            self._failed("webhook", f"secret of webhook {webhook.url}: {error}")
            return
        sent = message(record.state, entry, secret=secret, now=now())
        if wrong := send(webhook, sent, sleep=self._world.stop.wait):
            self._failed("webhook", f"webhook {wrong}")

    def _secret(self, record: Record, webhook: Webhook) -> str | None:
        """Raises: ClusterError: it is not there; nothing is sent unsigned that was to be signed."""
        if webhook.secret_ref is None:
            return None
        name, key = Key("Secret", record.namespace, webhook.secret_ref.name), webhook.secret_ref.key
        found = self._world.client.get(path(name))
        if found is None or key not in (found.get("data") or {}):
            raise ClusterError(f"there is no {name} with a key {key}")
        return base64.b64decode(found["data"][key]).decode(errors="replace")

    def _failed(self, what: str, said: str) -> None:
        self._world.metrics.failed(what)
        self._world.tell(said)


def _deployments(record: Record) -> list[Key]:
    if record.base is None:
        return []
    return [live.deployment(record.base, name, move.to) for name, move in record.state.rollout.spec.services.items()]


def event(record: Record, entry: Entry, name: Key, uid: str) -> dict[str, Any]:
    """An Event of Kubernetes (core/v1).

    Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
    """
    at = f"{entry.at:%Y-%m-%dT%H:%M:%SZ}"
    done = f"{entry.action} by {entry.who}" + (f": {entry.why}" if entry.why else "")
    text = f"rollout {record.name}: {done}; now {entry.phase} ({entry.stage}), weight {entry.weight}"
    bad = entry.phase is Phase.DEGRADED or "failed" in entry.action
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
        "reason": "Rollout" + entry.action.title().replace(" ", ""),
        "message": text if len(text) <= LONGEST else text[: LONGEST - 1] + "…",
        "type": "Warning" if bad else "Normal",
        "source": {"component": "graylane"},
        "reportingComponent": SOURCE,
        "reportingInstance": "graylane",
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
