"""The measurements of an analysis, by Prometheus, in threads of their own: one that hangs delays no decision."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from meshconfig.rollout.actions import Analyse, Ask
from meshconfig.rollout.analysis import Reading
from meshconfig.rollout.events import Measured, Report
from meshconfig.rollout.prometheus import Prometheus
from meshconfig.rollout.queries import values
from meshconfig.rollout.runner.context import LOOK, RunnerContext
from meshconfig.rollout.store import Record, now

WORKERS = 24  # measurements at the same time


class Measurer:
    """Measures for one rollout; `close` closes its connections."""

    def __init__(self, context: RunnerContext) -> None:
        self._context = context
        self._prometheus: Prometheus | None = None
        self._batch: Batch | None = None

    def measure(self, record: Record, action: Analyse) -> Report | None:
        """Begins all measurements that are due, and waits a moment for them.

        Returns:
            The readings, once all are there; None until then, or where none is due.
        """
        turn = record.state.turn
        if self._batch is None or self._batch.turn != turn:  # that of an earlier turn is left to end by itself
            due = [ask for ask in action.asks if ask.at <= now()]
            if not due:
                return None
            self._batch = Batch(turn, due, self._reader(record, {ask.service for ask in due}))
        if not self._batch.done.wait(LOOK):
            return None
        batch, self._batch = self._batch, None
        readings = batch.readings()
        for reading in readings:
            self._context.metrics.measured(reading)
        return Measured(turn, readings=readings)

    def _reader(self, record: Record, services: Iterable[str]) -> Callable[[Ask], Reading]:
        """It keeps no group: measurements may hang for long, those of many rollouts side by side."""
        rollout, base = record.state.rollout, record.base
        assert rollout.spec.analysis is not None
        assert base is not None
        if self._prometheus is None:
            self._prometheus = Prometheus(rollout.spec.analysis.prometheus, self._context.settings.hosts)
        source = self._prometheus
        metrics = {metric.name: metric for metric in rollout.spec.analysis.metrics}
        of_service = {service: values(rollout, base, service) for service in services}
        return lambda ask: source.read(metrics[ask.metric], ask.service, of_service[ask.service], now())

    def close(self) -> None:
        if self._prometheus is not None:
            self._prometheus.close()


class Batch:
    """Measurements that were begun together. Its threads end no later than each measurement does by its deadline.

    Parameters:
        turn: of the rollout.
    """

    def __init__(self, turn: int, due: Sequence[Ask], read: Callable[[Ask], Reading]) -> None:
        self.turn, self.done, self._read = turn, threading.Event(), read
        self._open, self._lock = len(due), threading.Lock()
        self._left = deque(enumerate(due))
        self._found: dict[int, Reading] = {}
        self._error: Exception | None = None
        for _ in range(min(WORKERS, len(due))):
            # Not by a pool of concurrent.futures: the process would wait for its threads at its end.
            threading.Thread(target=self._work, name="measurement", daemon=True).start()

    def readings(self) -> tuple[Reading, ...]:
        """In the order in which they were asked for, once all are done.

        Raises:
            Exception: whatever error a measurement met; it is a bug, as a source that fails is "no data".
        """
        if self._error is not None:
            raise self._error
        return tuple(self._found[index] for index in sorted(self._found))

    def _work(self) -> None:
        while self._left:
            try:
                index, ask = self._left.popleft()
            except IndexError:  # another thread was faster
                return
            try:
                self._found[index] = self._read(ask)
            except Exception as error:  # noqa: BLE001  the worker raises it
                self._error = error
            with self._lock:
                self._open -= 1
                if not self._open:
                    self.done.set()
