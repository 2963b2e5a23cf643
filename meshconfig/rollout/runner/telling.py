"""Webhooks are told each entry of a rollout's log, in a thread of its own: who listens slowly holds nothing up.

An entry may be told twice, by a runner that was killed and by the next; the message has the same `webhook-id` then.
"""

import base64
import threading
from collections.abc import Iterable

from meshconfig.cluster.objects import Key
from meshconfig.cluster.paths import path
from meshconfig.errors import ClusterError
from meshconfig.rollout.actions import Notify
from meshconfig.rollout.events import Told
from meshconfig.rollout.notify import message, send
from meshconfig.rollout.runner.world import World
from meshconfig.rollout.state import Entry
from meshconfig.rollout.store import Record, now
from meshconfig.rollout.todo import actions
from meshconfig.spec.rollout import Webhook


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
            for webhook in record.state.rollout.spec.notify:
                if self._world.stop.is_set():
                    return
                self._webhook(record, entry, webhook)
            self._told = entry.number

    def _webhook(self, record: Record, entry: Entry, webhook: Webhook) -> None:
        try:
            secret = self._secret(record, webhook)
        except ClusterError as error:
            self._failed(f"secret of webhook {webhook.url}: {error}")
            return
        sent = message(record.state, entry, secret=secret, now=now())
        if wrong := send(webhook, sent, sleep=self._world.stop.wait):
            self._failed(f"webhook {wrong}")

    def _secret(self, record: Record, webhook: Webhook) -> str | None:
        """Raises: ClusterError: it is not there; nothing is sent unsigned that was to be signed."""
        if webhook.secret_ref is None:
            return None
        name, key = Key("Secret", record.namespace, webhook.secret_ref.name), webhook.secret_ref.key
        found = self._world.client.get(path(name))
        if found is None or key not in (found.get("data") or {}):
            raise ClusterError(f"there is no {name} with a key {key}")
        return base64.b64decode(found["data"][key]).decode(errors="replace")

    def _failed(self, said: str) -> None:
        self._world.metrics.failed("webhook")
        self._world.tell(said)
