"""A member of a group goes on and loses nothing, whatever of its seeks, pauses, resumes, commits fails for a while."""

from types import SimpleNamespace
from typing import Any

import pytest
from flaky_kafka import PARTITIONS, STEPS, FlakyConsumer, Log, check_the_lanes_part
from hypothesis import example, given
from hypothesis import strategies as st

from propagation.messaging.lanes import Warnings, confluent_member
from propagation.messaging.lanes.confluent_reading import Reading
from propagation.messaging.lanes.kafka_handover import Span, View
from propagation.messaging.lanes.kafka_sides import BaselineSide, LaneSide

GRAY = "orders.gray"
A, B = PARTITIONS
LANES: Any = SimpleNamespace(lane_of=lambda message: message.lane, warnings=Warnings())


class Story:
    """A program with one member, and the log that it reads."""

    def __init__(self, side, faults):
        self.log = Log(len(PARTITIONS))
        self.client = FlakyConsumer(self.log, faults)
        self.paused, self.handled, self.again = set(), [], set()
        self.spans = {where: [] for where in PARTITIONS}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(confluent_member, "Consumer", lambda settings: self.client)
            patch.setattr(confluent_member, "Reading", lambda client: Reading(client, self.log.clock))
            self.member = confluent_member.Member({"group.id": "group"}, side, LANES, self.paused)
        self.member.subscribe(["orders"])

    def produce(self, where):
        self.log.lanes[where] += ["gray", None, "gray"]

    def leave(self, where, further):
        """The baseline leaves the lane what comes from now on, or some messages further on."""
        spans = self.spans[where]
        if not spans or spans[-1].end is not None:
            start = max([len(self.log.lanes[where]) + further, *(span.end for span in spans)])
            spans.append(Span(len(spans) + 1, start, None, ("gray",)))

    def end(self, where, further):
        """It leaves the lane no more, some messages further on; that is seen before the lane comes there."""
        spans = self.spans[where]
        if spans and spans[-1].end is None:
            end = max(spans[-1].start, len(self.log.lanes[where]) + further)
            spans[-1] = spans[-1]._replace(end=end)
            self.look()

    def look(self):
        left = {where: {GRAY: tuple(spans)} for where, spans in self.spans.items() if spans}
        self.member.refresh(View(left=left))

    def poll(self, retry=False):
        message = self.member.next(0.25)
        if message is None:
            return
        self.handled.append((message.where, message.at))
        if retry:
            self.again.add((message.where, message.at))
            self.member.read_again(message.where, message.at)
        else:
            self.member.side.progress[message.where].handled_through(message.at)

    def rebalance(self):
        self.client.rebalance()
        self.poll()

    def pause(self, where):
        self.paused.add(where)
        self.member.pause()

    def resume(self, where):
        self.paused.discard(where)
        self.member.resume([where])

    def until_all_is_well(self, minutes=5):
        """Nothing fails any more, after a while."""
        for where in PARTITIONS:
            self.resume(where)
        until = self.log.now + 60 * minutes
        while self.log.now < until:
            self.look()
            self.poll()
            self.member.commit_if(True)


FAULTS = st.lists(st.booleans(), max_size=40)


def run(story, steps):
    for name, *arguments in steps:
        getattr(story, name)(*arguments)


@given(STEPS, FAULTS)
@example([("leave", A, 0), ("rebalance",), ("look",), ("rebalance",), ("produce", A)], [False, True])
def test_a_lanes_member_handles_all_that_is_left_to_it(steps, faults):
    story = Story(LaneSide(GRAY), faults)
    run(story, steps)
    for where in PARTITIONS:
        story.leave(where, 0)
    for where in PARTITIONS * 3:
        story.produce(where)
    story.until_all_is_well()
    check_the_lanes_part(story)


@given(STEPS, FAULTS)
def test_the_baselines_member_handles_all(steps, faults):
    story = Story(BaselineSide(), faults)
    run(story, steps)
    for where in PARTITIONS:
        story.produce(where)
    story.until_all_is_well()
    assert set(story.handled) == {
        (where, offset) for where, lanes in story.log.lanes.items() for offset in range(len(lanes))
    }
    assert story.client.paused == set()


@given(STEPS)
def test_without_a_fault_nothing_comes_twice_that_was_not_asked_for_again(steps):
    story = Story(BaselineSide(), [])
    run(story, [step for step in steps if step[0] != "rebalance"])
    story.until_all_is_well(1)
    twice = {one for one in story.handled if story.handled.count(one) > 1}
    assert twice <= story.again


def test_a_move_that_is_refused_for_long_is_made_at_last():
    story = Story(LaneSide(GRAY), [False] * 2 + [True] * 30)  # both start; then nothing goes well
    story.produce(A)
    story.poll()
    story.leave(A, 3)
    story.look()
    story.produce(A)
    story.produce(A)
    story.until_all_is_well()
    assert story.handled == [(A, 6), (A, 8)]


def test_a_retry_that_is_refused_comes_before_what_lies_behind_it():
    story = Story(BaselineSide(), [True, True])
    story.produce(A)
    story.poll()
    story.poll(retry=True)
    story.until_all_is_well(1)
    assert [offset for _, offset in story.handled] == [0, 1, 1, 2]


def test_what_comes_though_its_partition_is_paused_is_not_lost():
    story = Story(BaselineSide(), [True])
    story.poll()
    story.pause(A)
    story.produce(A)
    for _ in range(4):
        story.poll()
    assert story.handled == []
    assert story.client.paused == {A}
    story.resume(A)
    story.until_all_is_well(1)
    assert [offset for _, offset in story.handled] == [0, 1, 2]


def test_a_resume_that_is_dropped_is_asked_for_again():
    story = Story(BaselineSide(), [False, True, True])  # the pause goes well, two resumes do not
    story.poll()
    story.pause(A)
    story.poll()
    assert story.client.paused == {A}
    story.resume(A)
    story.produce(A)
    story.until_all_is_well(1)
    assert [offset for _, offset in story.handled] == [0, 1, 2]


def test_a_partition_that_never_started_is_joined_anew():
    story = Story(LaneSide(GRAY), [True, True])
    story.leave(A, 0)
    story.leave(B, 0)
    story.look()
    story.produce(A)
    story.produce(B)
    story.until_all_is_well()
    assert sorted(story.handled) == [(A, 0), (A, 2), (B, 0), (B, 2)]


def test_a_pause_of_an_earlier_assignment_does_not_hold_on():
    """The wait for the baseline is paused, given away, and over when the partition comes back."""
    story = Story(LaneSide(GRAY), [])
    story.produce(A)
    for _ in range(3):
        story.poll()
    assert A in story.client.paused
    story.leave(A, 0)
    story.member.side.view = View(left={A: {GRAY: tuple(story.spans[A])}})
    story.rebalance()
    story.produce(A)
    assert story.client.paused == set()
    for _ in range(5):
        story.poll()
    assert story.handled == [(A, 3), (A, 5)]


def test_what_the_programs_callbacks_raise_leaves_nothing_behind():
    story = Story(BaselineSide(), [])

    def fail(*_):
        raise ZeroDivisionError

    story.member.subscribe(["orders"], None, fail, None)
    story.produce(A)
    story.poll()
    story.client.rebalance()
    with pytest.raises(ZeroDivisionError):
        story.member.next(0.1)
    assert story.log.committed[A] == (1, "")
    assert story.member.side.progress == {}
