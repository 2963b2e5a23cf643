"""Carry rates from `istio_requests_total`: what is judged, what is left unknown, and a real Prometheus' answers."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from carried_chains import shop
from recorded_prometheus import EVERY, Recorded, recorded

from meshconfig.carry import UNTAGGED, VersionCarry, Workload, metrics
from meshconfig.carry.pods import workloads_of
from meshconfig.exchange.allowed import Allowed
from meshconfig.rollout.prometheus import Prometheus

GROUP = shop()
WORKLOADS = workloads_of(GROUP, [], {})
FRONT, CART, PROD = Workload("front", "gray"), Workload("cart", "gray"), Workload("front", "prod")


def to(workload: Workload, lane: str | None) -> dict[str, str]:
    """The labels of requests that a version received."""
    where = {"destination_workload_namespace": "demo", "destination_workload": f"{workload.service}-{workload.version}"}
    return {**where, "reporter": "destination", **({} if lane is None else {"lane": lane})}


def by(workload: Workload, callee: Workload, lane: str | None) -> dict[str, str]:
    """The labels of calls that a version made."""
    source = {"source_workload_namespace": "demo", "source_workload": f"{workload.service}-{workload.version}"}
    host = {"destination_service": f"{callee.service}.demo.svc.cluster.local"}
    return {**to(callee, lane), **source, **host, "reporter": "source"}


def judged(received: metrics.Series, called: metrics.Series) -> dict[Workload, VersionCarry]:
    return {one.workload: one for one in metrics.judge(GROUP, WORKLOADS, received, called)}


def test_a_lanes_version_is_judged_by_its_calls_without_the_lanes_tag() -> None:
    found = judged(
        [(to(FRONT, "gray"), 1000)],
        [(by(FRONT, CART, "gray"), 900), (by(FRONT, CART, "none"), 60), (by(FRONT, CART, "blue"), 40)],
    )
    one = found[FRONT]
    assert (one.judged, one.rate, one.lost) == ("lane", 0.9, 100)
    assert one.edges[0].calls == {"gray": 900, UNTAGGED: 60, "blue": 40}


@pytest.mark.parametrize("lane", ["none", "other", "blue", "unknown", "", None])
def test_one_request_of_another_kind_makes_it_unknown(lane: str | None) -> None:
    calls = [(by(FRONT, CART, "none"), 100)]
    assert judged([(to(FRONT, "gray"), 1000)], calls)[FRONT].lost == 100
    found = judged([(to(FRONT, "gray"), 1000), (to(FRONT, lane), 1)], calls)[FRONT]
    assert (found.rate, found.lost, found.unjudged) == (None, 0, 100)
    assert found.reason


def test_calls_of_which_the_lane_is_not_known_are_not_lost() -> None:
    calls = [(by(FRONT, CART, "gray"), 10), (by(FRONT, CART, None), 5), (by(FRONT, CART, "unknown"), 5)]
    found = judged([(to(FRONT, "gray"), 20)], calls)[FRONT]
    assert (found.rate, found.unjudged) == (1, 10)


def test_the_baseline_is_never_judged_by_metrics() -> None:
    found = judged([(to(PROD, "prod"), 20)], [(by(PROD, CART, "prod"), 10), (by(PROD, CART, "none"), 10)])[PROD]
    assert (found.rate, found.judged) == (None, "")


def test_others_and_calls_to_others_do_not_count() -> None:
    other = Workload("other", "v1")
    elsewhere = {**by(FRONT, CART, "none"), "destination_service": "pay.example.com"}
    found = judged([(to(other, "gray"), 5), (to(FRONT, "gray"), 5)], [(by(other, CART, "gray"), 5), (elsewhere, 5)])
    assert list(found) == [FRONT]
    assert found[FRONT].reason == "called no service of the group"


def test_a_series_that_counted_nothing_is_none() -> None:
    received = [(to(FRONT, "gray"), 5), (to(FRONT, "none"), 0), (to(FRONT, "blue"), float("nan"))]
    assert judged(received, [(by(FRONT, CART, "gray"), 5)])[FRONT].rate == 1


def test_the_label_is_missed_only_if_no_request_has_it() -> None:
    assert metrics.lacks_label([({}, 1), ({"lane": ""}, 2)])
    assert not metrics.lacks_label([({}, 1), ({"lane": "none"}, 2)])
    assert not metrics.lacks_label([])


def rising(start: float, end: float, *, since: int = 40) -> Sequence[float]:
    """A counter from `since` scrapes ago."""
    return [start + (end - start) * number / (since - 1) for number in range(since)]


WINDOW = 20 * EVERY
HALF = (39 - 20) / 39  # the share of a counter of 40 scrapes that is older than the window
SERIES = [
    # Old counters: 1000 requests in the window, and 950 calls with the tag.
    Recorded(to(FRONT, "gray"), rising(5000, 5000 + 1000 / (1 - HALF))),
    Recorded(by(FRONT, CART, "gray"), rising(7000, 7000 + 950 / (1 - HALF))),
    # One that began in the window, of which `increase` would leave out the first 30.
    Recorded(by(FRONT, CART, "none"), rising(30, 50, since=10)),
    # A lane's version that was asked once without a tag, just now.
    Recorded(to(CART, "gray"), rising(0, 1000)),
    Recorded(to(CART, "none"), [1]),
    Recorded(by(CART, Workload("stock", "gray"), "none"), rising(0, 1000)),
    # Counters of a Pod that has started again, with another label beside.
    *(
        Recorded({**labels, "response_code": code}, [*rising(900, 1000, since=35), *rising(0, 100, since=5)])
        for labels in (to(Workload("front", "blue"), "blue"), by(Workload("front", "blue"), CART, "blue"))
        for code in ("200", "503")
    ),
    # Requests of other Pods.
    Recorded({**to(FRONT, "blue"), "destination_workload_namespace": "other"}, rising(0, 500)),
]


@pytest.mark.slow
def test_the_queries_count_in_a_real_prometheus(tmp_path: Path) -> None:
    with recorded(tmp_path, SERIES) as url:
        server = Prometheus(url, Allowed.of([url.removeprefix("http://")]))
        received, called = (server.series(query) for query in metrics.queries(GROUP, WINDOW))
        server.close()
    found = judged(received, called)
    front = found[FRONT]
    assert front.judged == "lane"
    assert front.requests["gray"] == pytest.approx(1000, rel=0.02)
    assert front.carried == pytest.approx(950, rel=0.02)
    assert front.lost == 50
    assert front.rate == pytest.approx(0.95, abs=0.002)
    assert found[CART].reason == "requests of other lanes may reach it too, and it does not carry x-request-id on"
    assert found[CART].requests[UNTAGGED] == 1
    blue = found[Workload("front", "blue")]
    assert (blue.rate, blue.lost) == (1, 0)
    assert blue.requests["blue"] == pytest.approx(blue.carried)
