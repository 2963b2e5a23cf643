"""Sends each entry of a rollout's log to its webhooks, in a thread for each: a slow receiver delays nothing.

An entry may be sent twice, by a runner that was killed and by the next one. Both messages have the same `webhook-id`.
"""

import threading
from collections import deque
from collections.abc import Sequence

from meshconfig.cluster.objects import Key
from meshconfig.errors import GraylaneError
from meshconfig.exchange.connections import restricted
from meshconfig.exchange.urls import Url, parse_url, shown_url
from meshconfig.rollout.actions import Notify
from meshconfig.rollout.check import MOST_WEBHOOKS
from meshconfig.rollout.events import Published
from meshconfig.rollout.notify import KeyUnusableError, message, send, signing_key
from meshconfig.rollout.runner import secrets
from meshconfig.rollout.runner.context import RunnerContext, UnwantedError
from meshconfig.rollout.runner.metrics import Delivery
from meshconfig.rollout.state import LogEntry, State
from meshconfig.rollout.store import Record, now
from meshconfig.spec.rollout import Webhook

BACKLOG = 50  # entries that wait for one webhook; of more, the oldest are dropped


class WebhookSender:
    """Sends the entries of one rollout to all of its webhooks."""

    def __init__(self, context: RunnerContext) -> None:
        self._context = context
        self._receivers: list[Receiver] | None = None

    def offer(self, record: Record, notices: Sequence[Notify]) -> Published | None:
        """Has these entries sent, as far as that is not under way.

        Returns:
            The entry up to which every webhook is done, to be stored; None where that is stored already.
        """
        if self._receivers is None:
            self._receivers = self._made(record)
        numbers = {one.number for one in notices}
        entries = [entry for entry in record.state.log if entry.number in numbers]
        for receiver in self._receivers:
            receiver.offer(entries)
        last = entries[-1].number if entries else record.state.told
        done = min((receiver.done for receiver in self._receivers), default=last)
        return Published(done) if done > record.state.told else None

    def _made(self, record: Record) -> "list[Receiver]":
        webhooks = record.state.rollout.spec.notify
        if len(webhooks) > MOST_WEBHOOKS:
            self._context.note(
                f"{record.name}: only the first {MOST_WEBHOOKS} of its {len(webhooks)} webhooks are sent to"
            )
        # A message tells of one entry. The log, and the group of the record, would be kept for each entry that waits.
        about = record.state.model_copy(update={"log": (), "tallies": {}})
        return [Receiver(self._context, index, one, about) for index, one in enumerate(webhooks[:MOST_WEBHOOKS])]


class Receiver:
    """One webhook, and the entries that wait for it, the oldest first.

    After a message that did not arrive, each of the next ones is tried once, until one arrives. So what waits behind a
    receiver that is down waits seconds, and not minutes.

    Parameters:
        index: its place in the rollout's `notify`.
        about: the rollout, without its log; `told` is the last entry that was sent before.
    """

    def __init__(self, context: RunnerContext, index: int, webhook: Webhook, about: State) -> None:
        self._context, self._webhook, self._about = context, webhook, about
        self._name = f"webhook notify[{index}] {shown_url(webhook.url)}"
        self._pool = restricted(context.settings.hosts)
        self._lock = threading.Lock()
        self._waiting: deque[LogEntry] = deque()  # the first one is under way
        self._last, self._down = about.told, False
        self._thread: threading.Thread | None = None

    @property
    def done(self) -> int:
        """The entry up to which each was delivered, failed or was dropped."""
        with self._lock:
            return self._waiting[0].number - 1 if self._waiting else self._last

    def offer(self, entries: Sequence[LogEntry]) -> None:
        """Queues those of the entries that are new, and has them sent."""
        with self._lock:
            lost = 0
            for entry in entries:
                if entry.number > self._last:
                    lost += entry.number - self._last - 1  # the log keeps so many entries, and no more
                    self._waiting.append(entry)
                    self._last = entry.number
            while len(self._waiting) > BACKLOG + 1:
                del self._waiting[1]
                lost += 1
            if self._waiting and self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
        if lost:
            self._context.metrics.delivery(Delivery.DROPPED, lost)
            self._context.tell(f"{self._name}: {lost} entries dropped, because it is too slow for them")

    def _work(self) -> None:
        """Sends what waits, until nothing does or the runner stops. The next runner sends the rest."""
        while True:
            with self._lock:
                if not self._waiting or self._context.stop.is_set():
                    self._thread = None
                    return
                entry = self._waiting[0]
            try:
                wrong = self._sent(entry)
            except UnwantedError:
                continue
            except Exception as error:  # noqa: BLE001  a bug that one message meets stops none of the next ones
                wrong = f"{type(error).__name__}"
            self._down = bool(wrong)
            self._context.metrics.delivery(Delivery.FAILED if wrong else Delivery.DELIVERED)
            if wrong:
                self._context.tell(f"{self._name}: entry {entry.number} was not delivered: {wrong}")
            with self._lock:
                self._waiting.popleft()

    def _sent(self, entry: LogEntry) -> str:
        """Why a message did not arrive; empty if it did. What is to be signed is not sent unsigned.

        Raises:
            UnwantedError: the runner stops.
        """
        try:
            url = parse_url(self._webhook.url)
            key = self._key(url)
        except (GraylaneError, ValueError) as error:
            return str(error)
        sent = message(self._about, entry, key=key, now=now())
        return send(self._pool, url, sent, sleep=self._pause, patient=not self._down)

    def _key(self, url: Url) -> bytes | None:
        """
        Raises:
            ClusterError: the Secret cannot be read, or is not for this URL.
            KeyUnusableError: it has no key, or one that cannot be used.
        """
        if (wanted := self._webhook.secret_ref) is None:
            return None
        namespace = self._about.rollout.metadata.namespace
        data = secrets.read(self._context.client, namespace, wanted.name, url)
        where = f"{Key('Secret', namespace, wanted.name)}, key {wanted.key}"
        if wanted.key not in data:
            raise KeyUnusableError(f"there is no {where}")
        try:
            return signing_key(data[wanted.key])
        except KeyUnusableError as error:
            raise KeyUnusableError(f"{where}: {error}") from None

    def _pause(self, seconds: float) -> None:
        if self._context.stop.wait(seconds):
            raise UnwantedError("the runner stops")
