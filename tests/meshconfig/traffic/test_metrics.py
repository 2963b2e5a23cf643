"""Flows from Istio's metrics: which series are an edge, and a real Prometheus' answers."""

from pathlib import Path

import pytest
from carried_chains import shop
from recorded_prometheus import Recorded, recorded

from meshconfig.carry import UNTAGGED, Workload
from meshconfig.carry.pods import workloads_of
from meshconfig.exchange.allowed import Allowed
from meshconfig.rollout.prometheus import Prometheus
from meshconfig.traffic import Flow
from meshconfig.traffic.metrics import Answers, Queries, flows, queries

GROUP = shop()
WORKLOADS = workloads_of(GROUP, [], {})
FRONT, CART = Workload("front", "gray"), Workload("cart", "gray")


def labels(side: str, source: str, callee: Workload, lane: str | None, **more: str) -> dict[str, str]:
    return {
        "reporter": side,
        "source_workload_namespace": "demo" if source.endswith(("gray", "prod")) else "istio-system",
        "source_workload": source,
        "destination_workload_namespace": "demo",
        "destination_workload": f"{callee.service}-{callee.version}",
        "destination_service": f"{callee.service}.demo.svc.cluster.local",
        **({} if lane is None else {"lane": lane}),
        **more,
    }


def found(**sides: Answers) -> dict[tuple[Workload | None, Workload, str], Flow]:
    return {(one.caller, one.callee, one.lane): one for one in flows(GROUP, WORKLOADS, sides)}


def test_a_call_is_counted_where_it_is_made_and_one_from_outside_where_it_arrives() -> None:
    called, came = labels("source", "front-gray", CART, "gray"), labels("destination", "front-gray", CART, "gray")
    entered = labels("destination", "istio-ingressgateway", FRONT, "none")
    edges = found(
        source=Answers([(called, 10.0)], [(called, 1.0)], [(called, 12.0)]),
        destination=Answers([(came, 10.0), (entered, 4.0)], [], [(entered, float("nan"))]),
    )
    assert set(edges) == {(FRONT, CART, "gray"), (None, FRONT, UNTAGGED)}
    one = edges[FRONT, CART, "gray"]
    assert (one.rate, one.errors, one.p95) == (10.0, 0.1, 12.0)
    assert edges[None, FRONT, UNTAGGED].p95 is None


def test_without_the_label_on_durations_a_p95_is_that_of_the_edge() -> None:
    called, plain = labels("source", "front-gray", CART, "gray"), labels("source", "front-gray", CART, None)
    assert found(source=Answers([(called, 10.0)], [], [(plain, 30.0)]))[FRONT, CART, "gray"].p95 == 30.0


@pytest.mark.slow
def test_the_queries_count_in_a_real_prometheus(tmp_path: Path) -> None:
    scrapes = 41  # ten minutes
    series = [
        Recorded(labels("source", "front-gray", CART, "gray", response_code="200"), [90.0 * one for one in range(41)]),
        Recorded(labels("source", "front-gray", CART, "gray", response_code="503"), [60.0 * one for one in range(41)]),
        Recorded(
            labels("destination", "istio-ingressgateway", FRONT, "gray", response_code="200"),
            [30.0 * one for one in range(scrapes)],
        ),
    ]
    with recorded(tmp_path, series) as url:
        server = Prometheus(url, Allowed.of([url.removeprefix("http://")]))

        def asked(one: Queries) -> Answers:
            return Answers(*(server.series(query) for query in (one.requests, one.failed, one.p95)))

        edges = found(**{side: asked(one) for side, one in queries(GROUP, 300).items()})
        server.close()
    assert edges[FRONT, CART, "gray"].rate == pytest.approx(10, rel=0.02)
    assert edges[FRONT, CART, "gray"].errors == pytest.approx(0.4, rel=0.02)
    assert edges[None, FRONT, "gray"].rate == pytest.approx(2, rel=0.02)
