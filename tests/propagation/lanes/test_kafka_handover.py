"""The handover between the baseline's group and a lane's, over a model of Kafka that keeps just what it promises:
ordered partitions, one owner of a partition per group, and commits of offset and metadata in one, taken from the owner.
"""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from propagation.messaging.lanes import Roster
from propagation.messaging.lanes.kafka_handover import (
    FIRST_SECONDS,
    Committed,
    Span,
    StandIns,
    Stop,
    View,
    changed_spans,
    is_stand_in,
    read_spans,
    read_stop,
    stand_ins,
    write_spans,
    write_stop,
)
from propagation.messaging.lanes.kafka_progress import Progress
from propagation.messaging.lanes.kafka_sides import BaselineSide, Do, LaneSide

TP = ("orders", 0)
GRAY = "orders.gray"
MEANT = Roster("orders", "kafka", "orders", "prod", {"prod": "orders", "gray": GRAY})
NOT_MEANT = Roster("orders", "kafka", "orders", "prod", {"prod": "orders"})
WIDER = Roster("orders", "kafka", "orders", "prod", {"prod": "orders", "gray": GRAY, "blue": GRAY})


class Group:
    """A consumer group with one partition: the member that owns it, and what is committed."""

    def __init__(self, name):
        self.name, self.side, self.committed = name, None, Committed()
        self.next = None  # what the client of the owner reads next; None while it waits
        self.given = []  # to the program of the owner, in order, and not handled

    def commit(self):
        if self.side:
            found = self.side.to_commit()
            self.side.was_committed(found)
            self.committed = found.get(TP, self.committed)


class Handover(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.log = []  # the lane of each message
        self.baseline, self.lane = Group("orders"), Group(GRAY)
        self.own = False  # whether the owner in the lane's group is a consumer of the lane
        self.roster = MEANT
        self.handled = []  # offset, group: the program's work began
        self.done = set()  # offsets: the program's work ended
        self.again = set()  # offset, group: given to a program that died before they were committed
        self.views = [View()]

    @initialize(before=st.lists(st.sampled_from(["gray", "prod", None, "blue"]), max_size=5), lane=st.booleans())
    def begin(self, before, lane):
        self.log += before
        self.join_baseline()
        if lane:
            self.lane_lives()

    @rule()
    def lane_lives(self):
        """A consumer of the lane comes, if none is there, and finds messages of its own."""
        if self.lane.side is None or not self.own:
            self.leave(self.lane, kill=False)
            self.join_lane(True, self.views[-1])
        self.roster = MEANT
        self.work()
        self.log += ["gray", "prod", "gray"]
        self.work()

    def join_baseline(self):
        self.baseline.side = side = BaselineSide()
        side.assigned(TP, self.baseline.committed, len(self.log))
        self.baseline.next = self.baseline.committed.offset or 0
        side.refresh(self.views[-1])

    def join_lane(self, own, view):
        self.own = own
        self.lane.side = LaneSide(GRAY)
        self.lane.side.refresh(view)
        self.lane.next = self.lane.side.assigned(TP, self.lane.committed)

    @rule(lane=st.sampled_from(["gray", "gray", "prod", None, "blue"]))
    def produce(self, lane):
        self.log.append(lane)

    def step(self, group):
        """The client gives the owner one message."""
        if group.side is None or group.next is None or group.next >= len(self.log):
            return False
        offset = group.next
        verdict = group.side.decide(TP, offset, self.log[offset])
        if verdict.do is Do.HANDLE:
            group.given.append(offset)
            self.handled.append((offset, group.name))
        group.next = {Do.SKIP: verdict.offset, Do.WAIT: None}.get(verdict.do, offset + 1)
        return True

    @rule(steps=st.integers(1, 4))
    def read_baseline(self, steps):
        for _ in range(steps):
            self.step(self.baseline)

    @rule(steps=st.integers(1, 4))
    def read_lane(self, steps):
        for _ in range(steps):
            self.step(self.lane)

    @rule(lanes=st.booleans(), through=st.booleans(), which=st.integers(0, 9))
    def finish(self, lanes, through, which):
        group = self.lane if lanes else self.baseline
        if group.side and group.given:
            offset = group.given[which % len(group.given)]
            if through:
                group.side.progress[TP].handled_through(offset)
            else:
                group.side.progress[TP].handled(offset)
            self.end(group, [one for one in group.given if one == offset or (through and one < offset)])

    def end(self, group, offsets):
        self.done.update(offsets)
        group.given = [one for one in group.given if one not in offsets]

    @rule()
    def work(self):
        """Some time in which nothing goes wrong."""
        for _ in range(2):
            for group in (self.baseline, self.lane):
                self.step(group)
                group.commit()
            self.look()
            self.refresh_baseline(0)
            self.refresh_lane(0)

    @rule(lanes=st.booleans())
    def commit(self, lanes):
        (self.lane if lanes else self.baseline).commit()

    @rule()
    def look(self):
        self.views.append(
            View(
                self.roster,
                {GRAY: self.lane.side is not None and self.own},
                {TP: read_spans(self.baseline.committed.metadata)},
                {GRAY: {TP: self.lane.committed} if self.lane.committed.offset is not None else {}},
            )
        )

    @rule(age=st.integers(0, 3))
    def refresh_baseline(self, age):
        self.baseline.side.refresh(self.views[-1 - min(age, len(self.views) - 1)])

    @rule(age=st.integers(0, 3))
    def refresh_lane(self, age):
        if self.lane.side:
            moved = self.lane.side.refresh(self.views[-1 - min(age, len(self.views) - 1)])
            self.lane.next = moved.get(TP, self.lane.next)

    @rule(kill=st.booleans())
    def rebalance_baseline(self, kill):
        self.leave(self.baseline, kill)
        self.join_baseline()

    @rule(kill=st.booleans(), then=st.sampled_from(["nobody", "lane", "stand-in"]), age=st.integers(0, 3))
    def rebalance_lane(self, kill, then, age):
        self.leave(self.lane, kill)
        if then != "nobody":
            self.join_lane(then == "lane", self.views[-1 - min(age, len(self.views) - 1)])

    def leave(self, group, kill):
        if group.side and not kill:
            group.side.progress[TP].handled_through()
            self.end(group, group.given)
            group.commit()
        committed = group.committed.offset or 0
        self.again |= {(offset, name) for offset, name in self.handled if name == group.name and offset >= committed}
        group.side, group.next, group.given = None, None, []

    @rule(ending=st.booleans())
    def stand_in_ends(self, ending):
        if self.lane.side and not self.own:
            self.lane.side.ending = ending

    @rule(roster=st.sampled_from([MEANT, NOT_MEANT, WIDER, None]))
    def change_roster(self, roster):
        self.roster = roster

    def teardown(self):
        self.settle()
        assert self.done == set(range(len(self.log)))  # none lost
        handled = {}
        for offset, name in self.handled:
            handled.setdefault(offset, []).append(name)
        for offset, names in handled.items():
            for name in names[:-1]:  # whoever handled it before was to get it again
                assert (offset, name) in self.again, (offset, names, self.log[offset])

    def settle(self):
        """The lane's consumer has gone for good; a stand-in comes, and everybody works until nothing is left."""
        self.leave(self.lane, kill=True)
        self.look()
        for turn in range(40):
            wanted = stand_ins(self.views[-1], {GRAY} if self.lane.side else set())
            if wanted and self.lane.side is None:
                self.join_lane(False, self.views[-1])
            if self.lane.side:
                self.lane.side.ending = turn > 3
            while self.step(self.baseline) or self.step(self.lane):
                pass
            for group in (self.baseline, self.lane):
                if group.side:
                    group.side.progress[TP].handled_through()
                    self.end(group, group.given)
                    group.commit()
            self.look()
            self.refresh_baseline(0)
            self.refresh_lane(0)
        assert not self.views[-1].unfinished(GRAY)
        assert not read_spans(self.baseline.committed.metadata)


TestHandover = Handover.TestCase
TestHandover.settings = settings(stateful_step_count=50, deadline=None)


# The parts


OFFSETS = st.integers(0, 2**63 - 1)
SPANS = st.builds(
    Span,
    st.integers(1, 10**6),
    OFFSETS,
    st.none() | OFFSETS,
    st.lists(st.sampled_from(["gray", "blue", "prod"]), min_size=1, unique=True).map(
        lambda found: tuple(sorted(found))
    ),
)


@given(st.dictionaries(st.text(min_size=1), st.lists(SPANS, min_size=1).map(tuple)))
def test_spans_are_read_as_they_were_written(spans):
    assert read_spans(write_spans(spans)) == spans
    assert read_spans(write_spans(spans) + "\0") == spans  # as confluent-kafka sends it


@given(st.builds(Stop, st.integers(1, 10**6), OFFSETS))
def test_a_stop_is_read_as_it_was_written(stop):
    assert read_stop(write_stop(stop)) == read_stop(write_stop(stop) + "\0") == stop


@given(
    st.none()
    | st.text()
    | st.text().map(lambda text: "graylane/1 " + text)
    | st.sampled_from(
        ['{"a":1}', '{"a":[1]}', '{"a":[[1,2]]}', '{"a":[["x",1,2,[]]]}', "[1]", '["a","b"]', "[" * 9999, "3"]
    ).map(lambda text: "graylane/1 " + text)
)
def test_metadata_of_others_says_nothing(metadata):
    spans, stop = read_spans(metadata), read_stop(metadata)
    assert all(isinstance(span, Span) for listed in spans.values() for span in listed)
    assert stop is None or isinstance(stop, Stop)


def opened(view, spans=None, decided=10, redelivered=0, committable=10):
    return changed_spans(spans or {}, view, TP, decided, redelivered, committable)


ALIVE = View(MEANT, {GRAY: True}, {}, {GRAY: {}})


def test_a_span_opens_behind_what_owners_before_may_have_handled():
    assert opened(ALIVE)[GRAY] == (Span(1, 10, None, ("gray",)),)
    assert opened(ALIVE, redelivered=15)[GRAY] == (Span(1, 15, None, ("gray",)),)


def test_no_span_opens_for_who_is_not_there_not_meant_or_not_known():
    assert opened(View(MEANT, {GRAY: False}, {}, {GRAY: {}})) == {}
    assert opened(View(MEANT, {}, {}, {GRAY: {}})) == {}
    assert opened(View(MEANT, {GRAY: True}, {}, {})) == {}
    assert opened(View(NOT_MEANT, {GRAY: True}, {}, {GRAY: {}})) == {}
    assert opened(View(None, {GRAY: True}, {}, {GRAY: {}})) == {}


def test_a_lane_that_moves_to_another_group_waits_for_the_first():
    moved = Roster("orders", "kafka", "orders", "prod", {"prod": "orders", "gray": "orders.v2"})
    view = View(moved, {GRAY: True, "orders.v2": True}, {}, {GRAY: {TP: Committed(4)}, "orders.v2": {}})
    before = {GRAY: (Span(1, 0, None, ("gray",)),)}
    assert opened(view, before) == before
    stopped = View(moved, view.present, {}, {GRAY: {TP: Committed(4, write_stop(Stop(1, 12)))}, "orders.v2": {}})
    ended = (Span(1, 0, 12, ("gray",)),)
    assert opened(stopped, before) == {GRAY: ended, "orders.v2": (Span(1, 12, None, ("gray",)),)}


def test_spans_that_a_broker_would_not_take_are_not_opened():
    lanes = tuple(f"lane-{number:03}" for number in range(100))
    names = {"prod": "orders"} | {lane: f"orders.{lane}" for lane in lanes}
    roster = Roster("orders", "kafka", "orders", "prod", names)
    groups = sorted(roster.lane_names)
    view = View(roster, dict.fromkeys(groups, True), {}, {group: {} for group in groups})
    spans = opened(view)
    assert 20 < len(spans) < 100
    assert len(write_spans(spans)) <= 4096
    assert opened(view, spans) == spans


@pytest.mark.parametrize(
    ("present", "reached", "joined", "wanted"),
    [
        (False, {TP: Committed(3)}, set(), {GRAY}),
        (False, {TP: Committed(3)}, {GRAY}, {GRAY}),
        (True, {TP: Committed(3)}, {GRAY}, set()),
        (None, {TP: Committed(3)}, set(), set()),
        (None, {TP: Committed(3)}, {GRAY}, {GRAY}),
        (False, {TP: Committed(9)}, {GRAY}, set()),
        (False, {}, set(), {GRAY}),
        (False, None, {GRAY}, {GRAY}),
    ],
)
def test_a_stand_in_is_where_messages_are_left_and_nobody_of_the_lane_is(present, reached, joined, wanted):
    view = View(
        NOT_MEANT,
        {} if present is None else {GRAY: present},
        {TP: {GRAY: (Span(1, 2, 9, ("gray",)),)}},
        {} if reached is None else {GRAY: reached},
    )
    assert stand_ins(view, joined) == wanted


def test_a_stand_in_is_told_by_its_client_id():
    assert is_stand_in("graylane-stand-in.rdkafka")
    assert not is_stand_in("rdkafka")


@given(st.lists(st.tuples(st.sampled_from(["hand out", "leave", "handle", "through", "again"]), st.integers(0, 9))))
def test_what_may_be_committed_never_passes_what_is_not_handled(steps):
    progress, given_out, position = Progress(0), set(), 0
    for what, number in steps:
        if what in ("hand out", "leave"):
            (progress.hand_out if what == "hand out" else progress.leave)(position)
            given_out |= {position} if what == "hand out" else set()
            position += 1
        elif what == "handle":
            progress.handled(number)
            given_out.discard(number)
        elif what == "through":
            progress.handled_through(number)
            given_out = {one for one in given_out if one > number}
        elif number <= position:
            progress.read_again(number)
            given_out, position = {one for one in given_out if one < number}, number
        assert progress.committable == min(given_out, default=position)
        assert progress.position == position
        assert progress.decided >= position


def test_without_a_first_message_nothing_is_committed():
    side = BaselineSide()
    side.assigned(TP, Committed(), 0)
    side.refresh(ALIVE)
    assert side.to_commit() == {}
    assert side.decide(TP, 7, "gray").do is Do.LEAVE  # the span begins with the first message
    assert side.to_commit() == {TP: Committed(8, 'graylane/1 {"orders.gray":[[1,7,null,["gray"]]]}')}


def test_a_partition_that_is_gone_is_not_committed():
    side = BaselineSide()
    side.assigned(TP, Committed(3), 3)
    side.decide(TP, 3, None)
    found = side.to_commit()
    side.revoked([TP])
    side.was_committed(found)
    assert side.to_commit() == side.to_commit([TP]) == {}
    assert not side.holds(TP, 3)


def test_a_lane_waits_until_the_baseline_leaves_it_something():
    side = LaneSide(GRAY)
    assert side.assigned(TP, Committed()) is None
    assert side.refresh(View(MEANT)) == {}
    assert side.refresh(View(MEANT, {}, {TP: {GRAY: (Span(1, 40, 50, ("gray",)),)}})) == {TP: 40}
    assert side.decide(TP, 40, "gray") == (Do.HANDLE, 40)
    assert side.decide(TP, 41, "blue") == (Do.LEAVE, 41)
    assert side.decide(TP, 50, "gray") == (Do.WAIT, 50)
    later = View(MEANT, {}, {TP: {GRAY: (Span(1, 40, 50, ("gray",)), Span(2, 60, None, ("gray",)))}})
    assert side.refresh(later) == {TP: 60}
    side.progress[TP].handled_through()
    assert side.to_commit() == {TP: Committed(60)}


def test_one_process_begins_to_stand_in_and_the_others_come_when_it_has_partitions():
    left = {TP: {GRAY: (Span(1, 0, None, ("gray",)),)}}
    empty = View(MEANT, {GRAY: False}, left=left, reached={GRAY: {}})
    served = replace(empty, served=[GRAY])
    now = [100.0]
    first, second, lonely = (StandIns(lambda: now[0]) for _ in range(3))
    assert first.wanted(empty, (), first=True) == {GRAY}
    assert second.wanted(empty, (), first=False) == set()
    assert lonely.wanted(empty, (), first=False) == set()
    now[0] += 1
    assert second.wanted(served, (), first=False) == {GRAY}
    assert second.wanted(empty, {GRAY}, first=False) == {GRAY}  # while the group gives out its partitions anew
    now[0] += FIRST_SECONDS
    assert lonely.wanted(empty, (), first=False) == {GRAY}  # nobody has begun
    assert lonely.wanted(replace(empty, present={GRAY: True}), (), first=False) == set()
    assert lonely.wanted(empty, (), first=False) == set()  # another time: waited for anew


def test_a_new_owner_in_a_lanes_group_keeps_to_the_stop_of_the_one_before():
    left = {TP: {GRAY: (Span(1, 0, None, ("gray",)),)}}
    side = LaneSide(GRAY)
    side.refresh(View(MEANT, left=left))
    assert side.assigned(TP, Committed(5, write_stop(Stop(1, 5)))) is None
    assert side.assigned(TP, Committed(3, write_stop(Stop(1, 5)))) == 3
    assert side.decide(TP, 5, "gray").do is Do.WAIT


def test_a_new_span_has_a_number_that_no_stop_has():
    stopped = {GRAY: {TP: Committed(5, write_stop(Stop(3, 5)))}}
    view = View(MEANT, {GRAY: True}, reached=stopped)
    assert changed_spans({}, view, TP, 7, 0, 7) == {GRAY: (Span(4, 7, None, ("gray",)),)}
    ended = {GRAY: (Span(4, 7, 9, ("gray",)),)}
    assert changed_spans(ended, view, TP, 9, 0, 7)[GRAY][-1].number == 5
