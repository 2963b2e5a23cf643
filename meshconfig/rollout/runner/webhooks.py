"""Sends each entry of a rollout's log to its webhooks, in a thread of its own: a slow receiver delays nothing.

An entry may be sent twice, by a runner that was killed and by the next one. Both messages have the same `webhook-id`.
"""

import base64
import threading
from collections.abc import Iterable, Sequence

from meshconfig.cluster.objects import Key
from meshconfig.cluster.paths import path
from meshconfig.errors import ClusterError
from meshconfig.rollout.actions import Notify
from meshconfig.rollout.events import Published
from meshconfig.rollout.notify import message, send
from meshconfig.rollout.runner.context import RunnerContext
from meshconfig.rollout.runner.metrics import Tried
from meshconfig.rollout.state import LogEntry
from meshconfig.rollout.store import Record, now
from meshconfig.spec.rollout import Webhook


class WebhookSender:
    """Sends the entries of one rollout, the oldest first."""

    def __init__(self, context: RunnerContext) -> None:
        self._context = context
        self._thread: threading.Thread | None = None
        self._told = 0

    def offer(self, record: Record, notices: Sequence[Notify]) -> Published | None:
        """Starts to send these entries, unless it is still sending.

        Returns:
            How far it has come, to be stored; None where that is stored already.
        """
        if self._thread is not None and self._thread.is_alive():
            return None
        if self._told > record.state.told:
            return Published(self._told)
        if numbers := {one.number for one in notices}:
            entries = [entry for entry in record.state.log if entry.number in numbers]
            self._thread = threading.Thread(target=self._tell, args=(record, entries), daemon=True)
            self._thread.start()
        return None

    def _tell(self, record: Record, entries: Iterable[LogEntry]) -> None:
        for entry in entries:
            for webhook in record.state.rollout.spec.notify:
                if self._context.stop.is_set():
                    return
                self._webhook(record, entry, webhook)
            self._told = entry.number

    def _webhook(self, record: Record, entry: LogEntry, webhook: Webhook) -> None:
        try:
            secret = self._secret(record, webhook)
        except ClusterError as error:
            self._failed(f"secret of webhook {webhook.url}: {error}")
            return
        sent = message(record.state, entry, secret=secret, now=now())
        if wrong := send(webhook, sent, sleep=self._context.stop.wait):
            self._failed(f"webhook {wrong}")

    def _secret(self, record: Record, webhook: Webhook) -> str | None:
        """Raises: ClusterError: there is no such Secret. A message that is to be signed is not sent unsigned."""
        if webhook.secret_ref is None:
            return None
        name, key = Key("Secret", record.namespace, webhook.secret_ref.name), webhook.secret_ref.key
        found = self._context.client.get(path(name))
        if found is None or key not in (found.get("data") or {}):
            raise ClusterError(f"there is no {name} with a key {key}")
        return base64.b64decode(found["data"][key]).decode(errors="replace")

    def _failed(self, said: str) -> None:
        self._context.metrics.failed(Tried.WEBHOOK)
        self._context.tell(said)
