"""Where a queue per lane is: the queue of a message, and the queues that a consumer takes from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from propagation import use
from propagation.messaging.lanes import Heartbeats, LaneFilter, Roster
from propagation.messaging.lanes.watch import ASK_SECONDS, QueueWatch

NAMES = {"prod": "orders", "gray": "orders.gray", "blue": "q-blue"}
ROSTER = Roster("orders", "rabbitmq", "orders", "prod", NAMES)


class Changing:
    """A roster that is written again while the program runs."""

    def __init__(self, roster):
        self.now = roster

    def roster(self):
        return self.now


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def watch_of(lane, roster=ROSTER, clock=None, **options):
    return QueueWatch(LaneFilter(lane, roster, **options), "orders", clock=clock or Clock())


def destination(watch, lane):
    with use(env=lane):
        return watch.destination()


def test_a_message_goes_to_the_queue_of_its_lane_while_the_lane_is_there(clock):
    watch = watch_of(None, clock=clock)
    assert destination(watch, "gray") == "orders"
    watch.told("orders.gray", True)
    assert destination(watch, "gray") == "orders.gray"
    assert destination(watch, "gray.7") == "orders.gray"  # a generation of the lane
    assert destination(watch, "blue") == "orders"
    assert destination(watch, None) == destination(watch, "prod") == destination(watch, "purple") == "orders"
    clock.now += 10.5
    assert destination(watch, "gray") == "orders"


def test_a_lane_that_only_connects_again_is_not_gone(clock):
    watch = watch_of(None, clock=clock)
    watch.told("orders.gray", True)
    for name in ("orders.gray", "q-blue"):
        watch.told(name, False)
    assert watch.taken_over() == {"q-blue"}
    clock.now += 10.5
    assert watch.taken_over() == {"orders.gray", "q-blue"}


def test_only_the_baseline_takes_over():
    assert watch_of("prod").taken_over() == watch_of(None).taken_over() == {"orders.gray", "q-blue"}
    assert watch_of("gray").taken_over() == frozenset()


def test_each_consumer_has_its_queue():
    assert {lane: watch_of(lane).own for lane in (None, *NAMES)} == {None: "orders", **NAMES}
    assert watch_of("green").own == "orders.green"
    fifo = QueueWatch(LaneFilter("gray", Changing(None)), "orders.fifo", "orders-{lane}.fifo")
    assert fifo.own == "orders-gray.fifo"


def test_a_lane_that_shares_the_baselines_queue_has_none_of_its_own():
    watch = watch_of("gray", Roster("orders", "rabbitmq", "orders", "prod", {"prod": "orders", "gray": "orders"}))
    watch.told("orders", True)
    assert watch.own == destination(watch, "gray") == "orders"
    assert watch.to_ask() == frozenset()


def test_what_a_lane_left_is_taken_over_though_the_roster_does_not_list_it():
    source = Changing(ROSTER)
    watch = watch_of(None, source)
    watch.registered = frozenset({"orders.gray", "orders.old", "orders"})
    source.now = Roster("orders", "rabbitmq", "orders", "prod", {"prod": "orders"})
    assert watch.taken_over() == {"orders.gray", "orders.old"}
    source.now = None
    assert watch.taken_over() == {"orders.gray", "orders.old"}
    assert destination(watch, "gray") == "orders"


def test_a_producer_asks_again_after_a_while(clock):
    watch = watch_of(None, clock=clock)
    with use(env="gray"):
        assert watch.to_ask_before_sending() == ["orders.gray"]
        assert watch.to_ask_before_sending() == []
        clock.now += ASK_SECONDS
        assert watch.to_ask_before_sending() == ["orders.gray"]
    with use(env="blue"):
        assert watch.to_ask_before_sending() == ["q-blue"]
    for lane in (None, "prod", "purple"):
        with use(env=lane):
            assert watch.to_ask_before_sending() == []


def test_a_liveness_of_the_programs_own_is_not_asked_for(clock):
    class AlwaysThere:
        def age(self, name):
            return 0.0

    watch = watch_of(None, clock=clock, liveness=AlwaysThere())
    with use(env="gray"):
        assert watch.to_ask_before_sending() == []
        assert watch.destination() == "orders.gray"
    assert watch.to_ask() == watch.taken_over() == frozenset()


def test_heartbeats_outlive_the_connection(clock):
    lanes = LaneFilter(None, ROSTER)
    QueueWatch(lanes, "orders", clock=clock).told("orders.gray", True)
    assert destination(QueueWatch(lanes, "orders", clock=clock), "gray") == "orders.gray"
    assert isinstance(lanes.liveness, Heartbeats)


lanes_there = st.sets(st.sampled_from(["gray", "blue", "old"]))


@given(listed=lanes_there, registered=lanes_there, alive=lanes_there, lane=st.sampled_from([None, "gray", "blue", "x"]))
def test_a_queue_always_has_somebody_who_takes_from_it(listed, registered, alive, lane):
    """Wherever a message goes or was left, the lane's consumer is there, or the baseline's takes over."""
    names = {"prod": "orders"} | {one: f"orders.{one}" for one in listed}
    watch = watch_of(None, Roster("orders", "rabbitmq", "orders", "prod", names))
    watch.registered = frozenset(f"orders.{one}" for one in registered)
    for one in alive:
        watch.told(f"orders.{one}", True)
    baselines = {"orders", *watch.taken_over()}
    lanes = {f"orders.{one}" for one in alive}
    assert not baselines & lanes
    assert {destination(watch, lane), *watch.lane_queues} <= baselines | lanes
