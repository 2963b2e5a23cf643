"""Observes requests by Istio's metrics in a Prometheus, which whoever started the console has named."""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from meshconfig.carry import VersionCarry, metrics
from meshconfig.console.observed.observer import Pods, Seen
from meshconfig.console.refs import GroupRef
from meshconfig.console.sources.source import Source, Stated
from meshconfig.errors import GraylaneError
from meshconfig.rollout.prometheus import Prometheus
from meshconfig.traffic import Flow
from meshconfig.traffic.metrics import Answers, flows, queries

KEPT = 5.0  # seconds for which an answer is shown to all who look
RATES, CARRIED = 120.0, 600.0  # seconds to look back
MOST = 100  # answers that are kept


class FromMetrics:
    """
    Parameters:
        server: may be shared by threads.
    """

    origin: Literal["prometheus"] = "prometheus"

    def __init__(self, server: Prometheus) -> None:
        self._server = server
        self._answers: dict[tuple[str, GroupRef, str], tuple[float, Any]] = {}
        self._lock = threading.Lock()

    def flows(self, source: Source, stated: Stated) -> Seen[Flow]:
        group = stated.group.spec
        return self._seen("flows", stated, RATES, lambda: self._flows(stated, Pods.read(source, group)))

    def carry(self, source: Source, stated: Stated) -> Seen[VersionCarry]:
        group = stated.group.spec
        return self._seen("carry", stated, CARRIED, lambda: self._carry(stated, Pods.read(source, group)))

    def _flows(self, stated: Stated, pods: Pods) -> list[Flow]:
        group = stated.group.spec
        answers = {
            side: Answers(*(self._server.series(query) for query in (one.requests, one.failed, one.p95)))
            for side, one in queries(group, RATES).items()
        }
        self._demand_label(*(one.requests for one in answers.values()))
        return flows(group, pods.workloads, answers)

    def _carry(self, stated: Stated, pods: Pods) -> list[VersionCarry]:
        group = stated.group.spec
        received, called = (self._server.series(query) for query in metrics.queries(group, CARRIED))
        self._demand_label(received, called)
        return metrics.judge(group, pods.workloads, received, called)

    def _demand_label(self, *found: metrics.Series) -> None:
        """
        Raises:
            GraylaneError: there are requests, and none of them has the lane's label.
        """
        if metrics.lacks_label([one for series in found for one in series]):
            raise GraylaneError("istio_requests_total has no label lane there: apply graylane render --telemetry")

    def _seen(self, what: str, stated: Stated, back: float, read: Callable[[], Sequence[Any]]) -> Seen[Any]:
        """One answer for all who look at about the same time."""
        metadata, now = stated.group.spec.metadata, time.monotonic()
        key = what, GroupRef(metadata.namespace, metadata.name), stated.mark
        with self._lock:
            known = self._answers.get(key)
        if known is None or now - known[0] >= KEPT:
            found = Seen(read(), datetime.fromtimestamp(time.time() - back, UTC))
            with self._lock:
                self._answers = {one: value for one, value in self._answers.items() if now - value[0] < KEPT}
                if len(self._answers) < MOST:
                    self._answers[key] = now, found
            return found
        seen: Seen[Any] = known[1]
        return seen
