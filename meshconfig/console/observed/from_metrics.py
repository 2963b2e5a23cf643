"""Observes requests by metrics in a Prometheus, which whoever started the console has named: Istio's, else Envoy's own.

Its queries run on a few threads of their own, once for all who ask the same, so that a Prometheus that hangs holds no
page up. The Pods are read by each person's own right.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from weakref import WeakKeyDictionary

from meshconfig.carry import VersionCarry, metrics
from meshconfig.console.observed.observer import Pods, Seen, namespaces
from meshconfig.console.refs import GroupRef
from meshconfig.console.sources.snapshots import Snapshots
from meshconfig.console.sources.source import Source, Stated
from meshconfig.errors import GraylaneError
from meshconfig.rollout.prometheus import Prometheus
from meshconfig.spec import LaneGroup
from meshconfig.traffic import Flow, envoy
from meshconfig.traffic.metrics import Answers, Queries, flows, queries

KEPT = 5.0  # seconds for which an answer is shown to all who look
REFRESH = 10.0  # seconds between two readings of a group's Pods
RATES, CARRIED = 120.0, 600.0  # seconds to look back


@dataclass(frozen=True, slots=True)
class _Rates:
    """Answers by the names of their queries."""

    answers: dict[str, Answers]
    of_envoy: bool


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a Prometheus has said, and since when it had counted."""

    found: Any
    since: datetime


class FromMetrics:
    """
    Parameters:
        server: may be shared by threads.
    """

    origin: Literal["prometheus"] = "prometheus"

    def __init__(self, server: Prometheus) -> None:
        self._server = server
        self._answers = Snapshots[_Answer](period=KEPT)
        self._pods: WeakKeyDictionary[Source, dict[GroupRef, tuple[float, Pods]]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def flows(self, source: Source, stated: Stated, wait: float) -> Seen[Flow] | None:
        group = stated.group.spec
        if (answer := self._answer("flows", stated, RATES, lambda: self._rates(group), wait)) is None:
            return None
        pods, rates = self._pods_of(source, group), answer.found
        if rates.of_envoy:
            callers = envoy.Callers(pods.versions, pods.there, namespaces(group))
            return Seen(envoy.flows(group, callers, rates.answers), answer.since, without_tags=True)
        return Seen(flows(group, pods.workloads, rates.answers), answer.since)

    def carry(self, source: Source, stated: Stated, wait: float) -> Seen[VersionCarry] | None:
        group = stated.group.spec
        if (answer := self._answer("carry", stated, CARRIED, lambda: self._carried(group), wait)) is None:
            return None
        workloads = self._pods_of(source, group).workloads
        return Seen(metrics.judge(group, workloads, *answer.found), answer.since)

    def _rates(self, group: LaneGroup) -> _Rates:
        """
        Raises:
            GraylaneError: Prometheus does not answer, or its series lack a label without which they say nothing.
        """
        answers = self._asked(queries(group, RATES))
        if any(one.requests for one in answers.values()):
            _demand_label(*(one.requests for one in answers.values()))
            return _Rates(answers, of_envoy=False)
        answers = self._asked(envoy.queries(group, RATES))
        if not envoy.names_pods([one for answer in answers.values() for one in answer.requests]):
            raise GraylaneError("Envoy's metrics have no labels namespace and pod there: have its scrape job add them")
        return _Rates(answers, of_envoy=any(one.requests for one in answers.values()))

    def _asked(self, found: Mapping[str, Queries]) -> dict[str, Answers]:
        return {
            name: Answers(*(self._server.series(query) for query in (one.requests, one.failed, one.p95)))
            for name, one in found.items()
        }

    def _carried(self, group: LaneGroup) -> tuple[metrics.Series, ...]:
        answers = tuple(self._server.series(query) for query in metrics.queries(group, CARRIED))
        _demand_label(*answers)
        return answers

    def _answer(self, what: str, stated: Stated, back: float, read: Callable[[], Any], wait: float) -> _Answer | None:
        key = what, _ref(stated.group.spec), stated.mark
        return self._answers.get(key, lambda: _Answer(read(), datetime.fromtimestamp(time.time() - back, UTC)), wait)

    def _pods_of(self, source: Source, group: LaneGroup) -> Pods:
        """The group's Pods as this person may see them."""
        ref, now = _ref(group), time.monotonic()
        with self._lock:
            read, known = self._pods.setdefault(source, {}).get(ref, (0.0, None))
        if known is None or now - read >= REFRESH:
            known = Pods.read(source, group)
            with self._lock:
                fresh = {of: one for of, one in self._pods[source].items() if now - one[0] < REFRESH}
                self._pods[source] = {**fresh, ref: (now, known)}
        return known


def _ref(group: LaneGroup) -> GroupRef:
    return GroupRef(group.metadata.namespace, group.metadata.name)


def _demand_label(*found: metrics.Series) -> None:
    """
    Raises:
        GraylaneError: there are requests, and none of them has the lane's label.
    """
    if metrics.lacks_label([one for series in found for one in series]):
        raise GraylaneError("istio_requests_total has no label lane there: apply graylane render --telemetry")
