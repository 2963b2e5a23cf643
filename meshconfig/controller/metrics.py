"""Metrics of groups for Prometheus, beside those of rollouts, in the same registry.

Source: https://prometheus.io/docs/practices/naming/
"""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from meshconfig.controller.owned import GroupKey
from meshconfig.printable import escape_line

GROUP = ("namespace", "name")
SECONDS = (0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320)


class GroupMetrics:
    """Each method may be called from any thread.

    Parameters:
        registry: that of the rollouts' metrics, which the same page shows.
        calls: gives the requests that were sent to the API server so far.
    """

    def __init__(self, registry: CollectorRegistry, calls: Callable[[], int]) -> None:
        registry.register(_ApiRequests(calls))
        self._ready = Gauge(
            "graylane_group_ready", "1 for a group whose spec is at every proxy, 0 otherwise.", GROUP, registry=registry
        )
        self._stalled = Gauge(
            "graylane_group_stalled",
            "1 for a group that waits for a person, 0 otherwise.",
            GROUP,
            registry=registry,
        )
        self._plans = Histogram(
            "graylane_group_plan_seconds",
            "Seconds from the first look at a changed group until its spec is at every proxy.",
            GROUP,
            buckets=SECONDS,
            registry=registry,
        )
        self._steps = Histogram(
            "graylane_group_step_seconds",
            "Seconds of a plan's step: writes, barrier and drain.",
            buckets=SECONDS,
            registry=registry,
        )
        self._barriers = Histogram(
            "graylane_group_barrier_seconds",
            "Seconds that a step waited until every proxy had it.",
            buckets=SECONDS,
            registry=registry,
        )
        self._drift = Counter(
            "graylane_group_drift",
            "Looks that found the mesh changed by somebody else than graylane.",
            GROUP,
            registry=registry,
        )
        self._failures = Counter(
            "graylane_group_failures", "Changes of a group that were refused or stopped.", GROUP, registry=registry
        )

    def ready(self, group: GroupKey, ready: bool, *, stalled: bool = False) -> None:
        self._ready.labels(*_labels(group)).set(ready)
        self._stalled.labels(*_labels(group)).set(stalled)

    def applied(self, group: GroupKey, seconds: float) -> None:
        self._plans.labels(*_labels(group)).observe(seconds)

    def step(self, seconds: float) -> None:
        self._steps.observe(seconds)

    def barrier(self, seconds: float) -> None:
        self._barriers.observe(seconds)

    def drifted(self, group: GroupKey) -> None:
        self._drift.labels(*_labels(group)).inc()

    def failed(self, group: GroupKey, *, stalled: bool = False) -> None:
        self._failures.labels(*_labels(group)).inc()
        self.ready(group, False, stalled=stalled)

    def forget(self, group: GroupKey) -> None:
        """Shows no series of a group any more."""
        labels = dict(zip(GROUP, _labels(group), strict=True))
        for each in (self._ready, self._stalled, self._plans, self._drift, self._failures):
            each.remove_by_labels(labels)

    def clear(self) -> None:
        """Shows no group any more, as none is known to who does not lead; what is counted stays."""
        self._ready.clear()
        self._stalled.clear()


class _ApiRequests(Collector):
    """Counts what a client counts itself, retries left out: a watch is one request for as long as it lasts."""

    def __init__(self, calls: Callable[[], int]) -> None:
        self._calls = calls

    def collect(self) -> Iterator[Metric]:
        text = "Requests to the API server, watches and renewals of Leases included."
        yield CounterMetricFamily("graylane_api_requests", text, value=self._calls())


def _labels(group: GroupKey) -> Iterator[str]:
    return map(escape_line, group)
