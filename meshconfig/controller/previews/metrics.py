"""Metrics of preview lanes for Prometheus, beside those of groups, in the same registry."""

import threading
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from meshconfig.cluster.previews import PreviewObject
from meshconfig.controller.previews.index import LaneKey
from meshconfig.printable import escape_line

SECONDS = (5, 10, 20, 40, 80, 160, 320, 640, 1280)


class _Shown(NamedTuple):
    group: str
    phase: str
    created: float


class PreviewMetrics(Collector):
    """Each method may be called from any thread."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lock = threading.Lock()
        self._there: dict[LaneKey, _Shown] = {}
        registry.register(self)
        self._ready = Histogram(
            "graylane_preview_ready_seconds",
            "Seconds from the creation of a preview lane until requests reached it for the first time.",
            ("namespace", "group"),
            buckets=SECONDS,
            registry=registry,
        )

    def see(self, one: PreviewObject) -> None:
        phase = one.phase if one.phase in ("Pending", "Ready", "Ending", "Failed") else "Pending"
        with self._lock:
            self._there[one.namespace, one.name] = _Shown(one.group, phase, one.created.timestamp())

    def forget(self, lane: LaneKey) -> None:
        with self._lock:
            self._there.pop(lane, None)

    def clear(self) -> None:
        """Another controller leads, and shows them."""
        with self._lock:
            self._there.clear()

    def ready(self, one: PreviewObject, seconds: float) -> None:
        self._ready.labels(escape_line(one.namespace), escape_line(one.group)).observe(seconds)

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            there = dict(self._there)
        count = GaugeMetricFamily(
            "graylane_previews", "Preview lanes by phase.", labels=("namespace", "group", "phase")
        )
        for (namespace, group, phase), number in sorted(
            Counter((key[0], one.group, one.phase) for key, one in there.items()).items()
        ):
            count.add_metric((escape_line(namespace), escape_line(group), phase), number)
        created = GaugeMetricFamily(
            "graylane_preview_created_timestamp_seconds",
            "When a preview lane was created, as Unix time.",
            labels=("namespace", "name"),
        )
        for (namespace, name), one in sorted(there.items()):
            created.add_metric((escape_line(namespace), escape_line(name)), one.created)
        yield count
        yield created
