"""The measurements of an analysis, by Prometheus."""

from collections.abc import Sequence

from meshconfig.rollout.actions import Analyse, Ask
from meshconfig.rollout.analysis import Reading
from meshconfig.rollout.events import Measured, Report
from meshconfig.rollout.prometheus import Prometheus
from meshconfig.rollout.runner.context import RunnerContext
from meshconfig.rollout.store import Record, now


class Measurer:
    """Measures for one rollout; `close` closes its connections."""

    def __init__(self, context: RunnerContext) -> None:
        self._context = context
        self._prometheus: Prometheus | None = None

    def measure(self, record: Record, action: Analyse) -> Report | None:
        """Makes all measurements that are due, at the same time; None where none is."""
        due = [ask for ask in action.asks if ask.at <= now()]
        if not due:
            return None
        readings = self._readings(record, due)
        for reading in readings:
            self._context.metrics.measured(reading)
        return Measured(record.state.turn, readings=tuple(readings))

    def _readings(self, record: Record, due: Sequence[Ask]) -> list[Reading]:
        rollout, base = record.state.rollout, record.base
        assert rollout.spec.analysis is not None
        assert base is not None
        if self._prometheus is None:
            self._prometheus = Prometheus(rollout.spec.analysis.prometheus)
        source = self._prometheus
        metrics = {metric.name: metric for metric in rollout.spec.analysis.metrics}
        return self._context.client.map_concurrently(
            lambda ask: source.read(metrics[ask.metric], rollout, base, ask.service, now()), due
        )

    def close(self) -> None:
        if self._prometheus is not None:
            self._prometheus.close()
