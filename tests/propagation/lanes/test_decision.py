"""Who handles a message: the decision alone, and the LaneFilter that reads the message for it."""

import logging
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from propagation import PropagationConfig, instrument, uninstrument, use
from propagation.messaging.lanes import Heartbeats, LaneFilter, Roster, decide
from propagation.messaging.lanes.decision import Why

ROSTER = Roster("orders", "kafka", "orders", "prod", {"prod": "orders", "gray": "orders.gray", "blue": "orders.blue"})


class Ages(dict):
    """A Liveness: the seconds since each group was seen."""

    age = dict.get


@pytest.mark.parametrize(
    ("lane", "ages", "name", "why"),
    [
        (None, {"orders.gray": 0}, "orders", Why.UNTAGGED),
        ("prod", {"orders.gray": 0}, "orders", Why.BASELINE),
        ("gray", {"orders.gray": 0}, "orders.gray", Why.LANE),
        ("gray", {"orders.gray": 10}, "orders.gray", Why.LANE),
        ("gray", {"orders.gray": 10.001}, "orders", Why.ABSENT),
        ("gray", {}, "orders", Why.ABSENT),
        ("blue", {"orders.gray": 0}, "orders", Why.ABSENT),
        ("violet", {"orders.violet": 0}, "orders", Why.UNLISTED),
    ],
)
def test_a_lanes_consumers_handle_its_messages_while_they_live(lane, ages, name, why):
    assert decide(lane, ROSTER, Ages(ages), lease=10) == (name, lane, why)


def test_without_heartbeats_whoever_is_meant_is_taken_for_present():
    assert decide("gray", ROSTER, None).name == "orders.gray"


def test_without_a_roster_nobody_is_named():
    assert decide("gray", None, Ages({"orders.gray": 0})) == (None, "gray", Why.NO_ROSTER)


LANES = st.sampled_from(["prod", "gray", "blue", "violet", "rose"])


@given(
    names=st.dictionaries(LANES, st.sampled_from(["orders", "orders.a", "orders.b"])),
    ages=st.dictionaries(st.sampled_from(["orders.a", "orders.b"]), st.floats(0, 30)),
    tag=st.none() | LANES | st.sampled_from(["", "no lane", "gray.next", "a,b", "ÿ"]),
    known=st.booleans(),
)
def test_exactly_one_group_handles_a_message_whoever_is_there(names, ages, tag, known):
    roster = Roster("orders", "kafka", "orders", "prod", names | {"prod": "orders"})
    source = SimpleNamespace(roster=lambda: roster if known else None)
    filters = [LaneFilter(lane, source, liveness=Ages(ages)) for lane in (None, *roster.names)]
    message = SimpleNamespace(headers=[] if tag is None else [("env", tag.encode("latin-1"))])
    handled_by = {one.name or one.is_baseline for one in filters if one.handles(message)}
    assert len(handled_by) == 1


def test_the_name_of_the_baseline_is_taken_from_the_roster():
    main = Roster("orders", "kafka", "orders", "main", {"main": "orders", "prod": "orders.prod"})
    assert LaneFilter("main", main).is_baseline
    assert not LaneFilter("prod", main).is_baseline
    assert LaneFilter("prod", main).name == "orders.prod"


def test_a_lane_that_nobody_is_meant_to_consume_has_no_group():
    assert LaneFilter("violet", ROSTER).name is None
    assert not LaneFilter("violet", ROSTER).handles({"env": "violet"})


@pytest.mark.parametrize(
    ("headers", "lane"),
    [
        ({"env": "gray"}, "gray"),
        ([("env", b"gray.next")], "gray"),
        ([("Env", b"gray"), ("env", b"gray")], "gray"),
        ([("env", b"gray"), ("env", b"blue")], None),
        ([("baggage", b"user=1,env=gray")], "gray"),
        ([("env", b"\xff\xfe")], None),
        ([("env", None)], None),
        ({"env": 3}, None),
        (None, None),
        (7, None),
        ([b"env"], None),
        ([("env",)], None),
    ],
)
def test_the_lane_is_read_from_the_headers_as_propagation_reads_them(headers, lane):
    with use(env="blue"):
        assert LaneFilter(None, ROSTER).lane_of(SimpleNamespace(headers=headers)) == lane
        assert LaneFilter(None, ROSTER).lane_of(SimpleNamespace(headers=lambda: headers)) == lane


def test_the_programs_own_origin_is_not_a_messages_lane():
    config = PropagationConfig(origin={"env": "gray"})
    assert LaneFilter("gray", ROSTER, config=config).lane_of({"x": "1"}) is None


def test_the_tag_has_the_name_of_the_config():
    config = PropagationConfig(remote_fields=("lane",), key_names={"lane": ("x-lane", "lane")})
    assert LaneFilter(None, ROSTER, config=config).lane_of({"X-Lane": "gray"}) == "gray"
    assert LaneFilter(None, ROSTER, config=config).lane_of({"env": "gray"}) is None


def test_unreadable_headers_and_unlisted_lanes_are_the_baselines_with_one_warning_a_minute(caplog):
    baseline = LaneFilter(None, ROSTER)
    with caplog.at_level(logging.WARNING, "propagation.lanes"):
        for _ in range(3):
            assert baseline.handles(SimpleNamespace(headers=7))
            assert baseline.handles({"env": "violet"})
    assert [record.getMessage().split(";")[-1] for record in caplog.records] == [
        " the baseline handles it",
        " the baseline handles its messages",
    ]


def test_heartbeats_are_what_was_seen_and_when():
    now = [100.0]
    beats = Heartbeats(lambda: now[0])
    assert beats.age("orders.gray") is None
    beats.seen("orders.gray")
    now[0] += 4
    assert beats.age("orders.gray") == 4
    beats.found({"orders.blue"}, asked={"orders.gray", "orders.blue"})
    assert (beats.age("orders.gray"), beats.age("orders.blue")) == (None, 0)


def test_deciding_changes_nothing_of_the_work_at_hand():
    instrument()
    try:
        with use(env="blue"):
            LaneFilter(None, ROSTER).handles({"env": "gray"})
            from propagation import get

            assert get("env") == "blue"
    finally:
        uninstrument()
