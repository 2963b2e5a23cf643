"""Calls that lost the tag are found, no other call is, and what nobody can know is not guessed."""

import random
from collections import Counter

import pytest
from carried_chains import Chain, shop
from hypothesis import given
from hypothesis import strategies as st

from meshconfig.carry import OTHER, UNTAGGED, CarryJudge, Limits, VersionCarry, Workload, as_json, sole_lanes
from meshconfig.carry.access_log import Record

FRONT, CART, STOCK = (Workload(name, "gray") for name in ("front", "cart", "stock"))
SHARED = Workload("cart", "prod")  # blue, prod and untagged requests reach it
EVERY = [Workload(name, version) for name in ("front", "cart", "stock") for version in ("prod", "gray", "blue")]
ALL = ("gray", "blue", "prod", UNTAGGED)


def judged(chain: Chain, lanes: list[str], limits: Limits | None = None) -> dict[Workload, VersionCarry]:
    judge, now = CarryJudge(sole_lanes(chain.group), limits), 0.0
    for now, record in chain.requests(lanes):
        judge.add(record, now)
    return {one.workload: one for one in judge.report(now + 60)}


def mixed(count: int, seed: int = 0) -> list[str]:
    return random.Random(seed).choices(ALL, k=count)


def test_the_versions_of_one_lane_alone_are_those_that_neither_untagged_nor_other_lanes_requests_get() -> None:
    assert sole_lanes(shop()) == {FRONT: "gray", CART: "gray", STOCK: "gray", Workload("front", "blue"): "blue"}


@pytest.mark.parametrize("name", ["rules", "weights", "default", "mirror"])
def test_a_version_that_gets_untagged_requests_too_is_no_lanes_own(name: str) -> None:
    group = shop()
    share = {
        "rules": {"rules": [{"match": {"path": {"prefix": "/new"}}, "weights": {"gray": 1}}]},
        "weights": {"weights": {"gray": 1, "prod": 9}},
        "default": {"default": "gray"},
        "mirror": {"mirror": {"version": "gray"}},
    }[name]
    cart = group.model_dump(by_alias=True, exclude_unset=True)
    cart["spec"]["services"]["cart"] |= share
    assert CART not in sole_lanes(type(group).model_validate(cart))


def test_a_service_that_drops_a_twentieth_of_the_tags_is_found_in_a_thousand_requests_of_a_lane() -> None:
    chain = Chain(loses={FRONT: 0.05}, carries_id=frozenset())
    found = judged(chain, ["gray"] * 1000)
    assert found[FRONT].judged == "lane"
    assert found[FRONT].below(0.99)
    assert found[FRONT].lost == chain.lost[FRONT] > 50
    assert found[FRONT].rate == pytest.approx(0.95, abs=0.02)
    assert not any(one.below(0.9999) for workload, one in found.items() if workload != FRONT)


def test_a_shared_version_that_drops_tags_is_found_by_the_request_ids_that_it_carries_on() -> None:
    chain = Chain(loses={SHARED: 0.05})
    found = judged(chain, mixed(4000))
    assert found[SHARED].judged == "request id"
    assert found[SHARED].lost == chain.lost[SHARED] > 20
    assert found[SHARED].below(0.99)
    assert found[CART].rate == 1


@pytest.mark.slow
@pytest.mark.parametrize("carries", [None, frozenset()], ids=["ids", "no ids"])
def test_a_healthy_chain_gives_no_alarm_in_20_000_requests(carries: frozenset[Workload] | None) -> None:
    chain = Chain(carries_id=carries)
    found = judged(chain, mixed(20_000))
    assert [one.workload for one in found.values() if one.lost] == []
    assert found[FRONT].rate == found[CART].rate == 1
    # With ids all that called is judged, and without them what several lanes share is not.
    assert (found[SHARED].rate == 1) == (carries is None)
    assert found[SHARED].reason == (
        "" if carries is None else "requests of other lanes may reach it too, and it does not carry x-request-id on"
    )


def test_each_edge_counts_the_calls_that_were_made() -> None:
    chain = Chain(loses={FRONT: 0.1})
    found = judged(chain, mixed(3000))
    counted = Counter(
        {
            (one.workload, edge.callee, lane): count
            for one in found.values()
            for edge in one.edges
            for lane, count in edge.calls.items()
        }
    )
    assert counted == chain.calls
    assert {(one.workload, lane): count for one in found.values() for lane, count in one.requests.items()} == chain.sent


def test_one_request_of_another_lane_makes_a_lanes_version_unknown() -> None:
    judge = CarryJudge(sole_lanes(shop()))
    for number in range(100):
        judge.add(record(FRONT, "gray", f"r{number}"), number)
        judge.add(record(FRONT, UNTAGGED, f"other{number}", CART), number)
    assert judge.report(200)[0].lost == 100
    judge.add(record(FRONT, UNTAGGED, "probe"), 200)
    (one,) = judge.report(300)
    assert (one.rate, one.lost, one.judged) == (None, 0, "")
    assert one.reason == "requests of other lanes may reach it too, and it does not carry x-request-id on"


def record(at: Workload, lane: str, request_id: str, callee: Workload | None = None) -> Record:
    return Record(0.0, f"demo/{at.service}-0", at, callee, lane, request_id)


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([record(SHARED, "gray", "a")], "called no service of the group"),
        ([record(SHARED, "gray", "a", STOCK)], "no request reached it"),
        ([record(SHARED, UNTAGGED, "a"), record(SHARED, UNTAGGED, "a", STOCK)], "no request of a lane reached it"),
        (
            [record(SHARED, "gray", "a"), record(SHARED, "gray", "b", STOCK)],
            "requests of other lanes may reach it too, and it does not carry x-request-id on",
        ),
    ],
)
def test_it_says_why_nothing_is_known(records: list[Record], reason: str) -> None:
    judge = CarryJudge(sole_lanes(shop()))
    for one in records:
        judge.add(one, 0)
    (found,) = judge.report(60)
    assert (found.rate, found.reason, found.below(1)) == (None, reason, False)


def test_a_call_whose_request_has_not_ended_is_not_judged_yet() -> None:
    judge = CarryJudge(sole_lanes(shop()))
    judge.add(record(FRONT, "gray", "a"), 0)
    judge.add(record(FRONT, UNTAGGED, "b", CART), 0)  # of a request that may be untagged, and is still running
    assert judge.report(1)[0].lost == 0
    assert judge.report(60)[0].lost == 1


def test_an_id_that_two_requests_have_says_nothing() -> None:
    judge = CarryJudge({})
    judge.add(record(SHARED, "blue", "a"), 0)
    judge.add(record(SHARED, "gray", "a"), 0)
    judge.add(record(SHARED, "blue", "a", STOCK), 0)
    (one,) = judge.report(60)
    assert (one.rate, one.unjudged) == (None, 1)


def test_another_lanes_tag_is_a_lost_one() -> None:
    judge = CarryJudge({})
    judge.add(record(SHARED, "blue", "a"), 0)
    for sent in ("blue", "gray", OTHER, UNTAGGED):
        judge.add(record(SHARED, sent, "a", STOCK), 0)
    (one,) = judge.report(0)
    assert (one.carried, one.lost) == (1, 3)
    assert [call.sent for call in one.lost_calls] == ["gray", OTHER, UNTAGGED]


def test_the_calls_that_lost_the_tag_are_listed() -> None:
    judge = CarryJudge({})
    judge.add(Record(1.5, "demo/cart-0", SHARED, STOCK, UNTAGGED, "a", "/stock", "200"), 0)
    judge.add(record(SHARED, "blue", "a"), 0)
    told = as_json(judge.report(0)[0])
    assert told["lostCalls"] == [
        {
            "time": "1970-01-01T00:00:01.500Z",
            "pod": "demo/cart-0",
            "service": "stock",
            "version": "gray",
            "path": "/stock",
            "code": "200",
            "lane": "blue",
            "sent": UNTAGGED,
            "requestId": "a",
        }
    ]
    assert (told["carryRate"], told["lost"], told["judgedBy"]) == (0.0, 1, "request id")


def test_what_waits_is_bounded_and_what_comes_too_late_is_unknown() -> None:
    limits = Limits(settle=1e9, open=100, calls=5, shown=3)
    judge = CarryJudge({}, limits)
    for number in range(10_000):
        judge.add(record(SHARED, UNTAGGED, f"r{number}", STOCK), number)
        assert len(judge._open) <= limits.open
    for number in range(10_000):
        judge.add(record(SHARED, "blue", f"r{number}"), 10_000)
    for _ in range(50):
        judge.add(record(SHARED, UNTAGGED, "many", STOCK), 10_000)
    judge.add(record(SHARED, "blue", "many"), 10_000)
    (one,) = judge.report(10_000)
    assert one.lost == limits.calls
    assert one.unjudged >= 9_900 + 45
    assert len(one.lost_calls) == limits.shown


shares = st.dictionaries(st.sampled_from(EVERY), st.floats(0, 1), max_size=3)


@given(shares, st.sets(st.sampled_from(EVERY)), st.lists(st.sampled_from(ALL), max_size=60), st.integers(0, 9))
def test_what_is_judged_is_true_for_any_chain(
    loses: dict[Workload, float], ids: set[Workload], lanes: list[str], seed: int
) -> None:
    chain = Chain(loses, frozenset(ids), seed)
    found = judged(chain, lanes)
    tagged = {one: sum(n for (by, _, _), n in chain.calls.items() if by == one) for one in found}
    for workload, one in found.items():
        assert one.lost <= chain.lost[workload]
        assert one.carried + one.lost + one.unjudged <= tagged[workload]
        if one.judged and not one.unjudged:
            assert one.lost == chain.lost[workload]
        assert bool(one.judged) != bool(one.reason)
        if one.rate is None:
            assert not one.lost_calls


@given(st.lists(st.sampled_from(ALL), min_size=1, max_size=30), st.integers(0, 9), st.randoms(use_true_random=False))
def test_the_order_in_which_records_come_does_not_matter(lanes: list[str], seed: int, draw: random.Random) -> None:
    chain = Chain({FRONT: 0.3, SHARED: 0.3}, None, seed)
    records = [record for _, record in chain.requests(lanes)]
    reports = []
    for _ in range(2):
        judge = CarryJudge(sole_lanes(chain.group))
        for one in records:
            judge.add(one, 0)
        reports.append([(one.workload, one.rate, one.lost, one.requests) for one in judge.report(60)])
        draw.shuffle(records)
    assert reports[0] == reports[1]
