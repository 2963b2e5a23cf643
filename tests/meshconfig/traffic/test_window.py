"""Single requests become rates, shares of errors and p95 by edge and lane."""

import pytest
from carried_chains import shop
from hypothesis import given
from hypothesis import strategies as st

from meshconfig.carry import UNTAGGED, Workload
from meshconfig.traffic import Call, Flow, LoggedTraffic, TrafficWindow, falls_back

FRONT, CART, BASE = Workload("front", "gray"), Workload("cart", "gray"), Workload("cart", "prod")
NOW = 1000.0


def counted(calls: list[Call], began: float = 0.0) -> list[Flow]:
    window = TrafficWindow(began)
    for one in calls:
        window.add(one, NOW)
    return window.flows(NOW)


def both(time: float, *, failed: bool = False, milliseconds: float = 10.0, answered: Workload = CART) -> list[Call]:
    """One call from front to cart, as the caller logs it and as cart does."""
    called = Call(time, FRONT, answered, "gray", failed, milliseconds)
    return [called, Call(time, None, answered, "gray", failed, milliseconds)]


def times(count: int) -> list[float]:
    """Evenly in the window of thirty seconds that ended three seconds ago."""
    return [967 + 30 * number / count for number in range(count)]


def test_a_call_that_both_sides_log_is_one_request_of_its_caller() -> None:
    flows = counted([one for time in times(600) for one in both(time)])
    assert [(one.caller, one.callee, one.lane, one.rate) for one in flows] == [(FRONT, CART, "gray", 20.0)]


def test_what_no_version_of_the_group_sent_came_from_outside() -> None:
    calls = [one for time in times(300) for one in both(time)]
    calls += [Call(time, None, CART, "gray", False, 5) for time in times(150)]
    rates = {one.caller: one.rate for one in counted(calls)}
    assert rates == {FRONT: 10.0, None: 5.0}


def test_the_edges_of_the_window_are_no_other_caller() -> None:
    calls = [one for time in times(300) for one in both(time)]
    assert {one.caller for one in counted(calls[:-2] + calls[-1:])} == {FRONT}


def test_errors_are_a_share_and_p95_leaves_the_slowest_twentieth_out() -> None:
    calls = []
    for number, time in enumerate(times(100)):
        calls += both(time, failed=number % 10 == 0, milliseconds=900.0 if number >= 96 else 20.0)
    (flow,) = counted(calls)
    assert flow.errors == pytest.approx(0.1)
    assert flow.p95 == pytest.approx(20, rel=0.08)
    slower = [one._replace(milliseconds=900.0) if number % 5 == 0 else one for number, one in enumerate(calls)]
    (flow,) = counted(slower)
    assert flow.p95 == pytest.approx(900, rel=0.08)


def test_where_the_caller_cannot_know_who_answers_the_versions_themselves_say_it() -> None:
    calls = [Call(time, FRONT, Workload("cart", ""), "gray", False) for time in times(300)]
    calls += [Call(time, None, CART, "gray", False) for time in times(100)]
    calls += [Call(time, None, BASE, "gray", False) for time in times(200)]
    assert {(one.caller, one.callee): round(one.rate, 3) for one in counted(calls)} == {
        (FRONT, CART): 3.333,
        (FRONT, BASE): 6.667,
    }


def test_a_record_that_says_both_ends_is_one_request() -> None:
    calls = [Call(time, None, CART, "gray", False, 4, complete=True) for time in times(300)]
    assert [(one.caller, one.rate) for one in counted(calls)] == [(None, 10.0)]


def test_just_begun_a_rate_is_of_the_time_since() -> None:
    calls = [one for time in times(300) if time >= 987 for one in both(time)]
    (flow,) = counted(calls, began=987.0)
    assert flow.rate == pytest.approx(10, rel=0.01)


def test_old_calls_and_those_of_a_clock_that_is_ahead_do_not_count() -> None:
    assert counted([*both(100.0), *both(5000.0), *both(998.5)]) == []


@given(st.lists(st.tuples(st.floats(0, 2000), st.booleans(), st.floats(0, 1e7)), max_size=200))
def test_whatever_comes_rates_add_up_to_what_was_in_the_window(found: list[tuple[float, bool, float]]) -> None:
    calls = [Call(time, FRONT, CART, "gray", failed, milliseconds) for time, failed, milliseconds in found]
    flows = counted(calls)
    assert round(sum(one.rate for one in flows) * 30) == sum(967 <= time < 997 for time, _, _ in found)
    assert all(0 <= one.errors <= 1 for one in flows)


NODE = "sidecar~10.0.0.7~front-gray-1.demo~demo.svc.cluster.local"
CALLED = {"node": NODE, "cluster": "outbound|80|gray|cart.demo.svc.cluster.local", "tag": "gray", "code": "200"}


def test_access_logs_give_the_flows_of_their_group() -> None:
    traffic = LoggedTraffic(shop(), {"demo/front-gray-1": FRONT}.get, began=0.0)
    for number, time in enumerate(times(300)):
        traffic.add({**CALLED, "duration": "7", "code": "503" if number % 3 == 0 else "200"}, time, NOW)
        traffic.add({**CALLED, "cluster": "inbound|80||", "tag": "-"}, time, NOW)
        traffic.add({**CALLED, "node": NODE.replace("front", "other")}, time, NOW)
    called, came = sorted(traffic.flows(NOW), key=lambda one: one.caller is None)
    assert (called.caller, called.callee, called.lane, called.rate) == (FRONT, CART, "gray", 10.0)
    assert called.errors == pytest.approx(1 / 3)
    assert called.p95 == pytest.approx(7, rel=0.08)
    assert (came.caller, came.callee, came.lane) == (None, FRONT, UNTAGGED)


def test_a_lane_falls_back_where_another_version_than_its_own_answers() -> None:
    assert falls_back(shop(), "gray", BASE)
    assert not falls_back(shop(), "gray", CART)
    assert not falls_back(shop(), "prod", BASE)
    assert not falls_back(shop(), UNTAGGED, BASE)
