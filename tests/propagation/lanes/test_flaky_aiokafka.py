"""A member of a group goes on and loses nothing, whatever fails for a while, and whatever comes into a rebalance."""

import asyncio
from contextlib import suppress
from types import SimpleNamespace
from typing import Any
from unittest import mock

from aiokafka.errors import CoordinatorLoadInProgressError
from flaky_kafka import PARTITIONS, STEPS, FlakyAioConsumer, Log, check_the_lanes_part
from hypothesis import example, given
from hypothesis import strategies as st

from propagation.messaging.lanes import Warnings, aiokafka_member
from propagation.messaging.lanes.kafka_handover import Committed, Span, View
from propagation.messaging.lanes.kafka_sides import BaselineSide, Do, LaneSide

GRAY = "orders.gray"
A, B = PARTITIONS


class Story:
    """A program with one member, and the log that it reads. A rebalance has three steps, as in aiokafka."""

    def __init__(self, side, faults):
        self.log = Log(len(PARTITIONS))
        self.client = FlakyAioConsumer(self.log, faults)
        self.paused, self.handled = set(), []
        self.spans = {where: [] for where in PARTITIONS}
        lanes: Any = SimpleNamespace(lane_of=lambda message: message.lane, warnings=Warnings())
        look: Any = self.client
        shared = aiokafka_member.Shared(("orders",), lanes, self.paused, False, look)
        self.member = aiokafka_member.Member(self.client, "group", shared, side, None, None)
        self.coming = [self.give, self.told]

    async def produce(self, where):
        self.log.lanes[where] += ["gray", None, "gray"]

    async def leave(self, where, further):
        spans = self.spans[where]
        if not spans or spans[-1].end is not None:
            start = max([len(self.log.lanes[where]) + further, *(span.end for span in spans)])
            spans.append(Span(len(spans) + 1, start, None, ("gray",)))

    async def end(self, where, further):
        spans = self.spans[where]
        if spans and spans[-1].end is None:
            end = max(spans[-1].start, len(self.log.lanes[where]) + further)
            spans[-1] = spans[-1]._replace(end=end)
            await self.look()

    async def look(self):
        left = {where: {GRAY: tuple(spans)} for where, spans in self.spans.items() if spans}
        self.member.refresh(View(left=left))

    async def poll(self, retry=False):
        message = await self.member.next(0)
        if message is not None:
            where = (message.topic, message.partition)
            self.handled.append((where, message.offset))
            if retry and where in self.client.at:
                self.member.read_again(where, message.offset)
            elif where in self.member.side.progress:
                self.member.side.progress[where].handled_through(message.offset)

    async def rebalance(self):
        """The next step of one; a new one begins after the last."""
        if not self.coming:
            self.coming = [self.revoked, self.away, self.give, self.told]
        await self.coming.pop(0)()

    async def revoked(self):
        await self.member.on_partitions_revoked(self.client.assignment())

    async def away(self):
        self.client.give([])

    async def give(self):
        self.client.give(PARTITIONS)

    async def told(self):
        await self.member.on_partitions_assigned(self.client.assignment())

    async def pause(self, where):
        self.paused.add(where)
        self.member.pause(self.paused)

    async def resume(self, where):
        self.paused.discard(where)
        self.member.resume([where])

    async def until_all_is_well(self):
        while self.coming:
            await self.rebalance()
        for where in PARTITIONS:
            await self.resume(where)
        for _ in range(300):
            await self.look()
            await self.poll()
            await self.member.commit_if(True)


FAULTS = st.lists(st.booleans(), max_size=20)


def run(side, steps, faults, last=()):
    async def main():
        story = Story(side, faults)
        for name, *arguments in [*steps, *last]:
            await getattr(story, name)(*arguments)
        await story.until_all_is_well()
        return story

    with mock.patch.object(aiokafka_member, "SLICE_SECONDS", 0):
        return asyncio.run(main())


@given(STEPS, FAULTS)
def test_a_lanes_member_handles_all_that_is_left_to_it(steps, faults):
    last = [("leave", where, 0) for where in PARTITIONS] + [("produce", where) for where in PARTITIONS * 3]
    story = run(LaneSide(GRAY), steps, faults, last)
    check_the_lanes_part(story)


# Messages are taken from the client, given up at a rebalance, and followed by others before the partitions are away.
GIVEN_UP = [("rebalance",), ("produce", B), ("rebalance",), ("poll",), ("rebalance",), ("poll",)]


@given(STEPS, FAULTS)
@example([("produce", A), *GIVEN_UP], [])
def test_the_baselines_member_handles_all(steps, faults):
    story = run(BaselineSide(), steps, faults, [("produce", where) for where in PARTITIONS])
    assert set(story.handled) == {
        (where, offset) for where, lanes in story.log.lanes.items() for offset in range(len(lanes))
    }
    assert story.client.paused == set()


def told(how):
    """What a story of the baseline has handled, after a rebalance of which `how` is given the member's callbacks."""

    async def main():
        story = Story(BaselineSide(), [])
        await story.produce(A)
        await story.rebalance()
        await story.rebalance()
        await story.poll()
        with suppress(ZeroDivisionError):  # aiokafka logs it, and goes on
            await how(story)
        await story.until_all_is_well()
        return story

    return asyncio.run(main())


def test_what_the_programs_listener_raises_leaves_nothing_behind():
    async def fail(story):
        story.member._listener = mock.Mock(on_partitions_revoked=mock.Mock(side_effect=ZeroDivisionError))
        try:
            await story.rebalance()
        finally:
            story.member._listener = None
            assert story.member.side.progress == {}
            assert story.log.committed[A][0] == 1

    assert told(fail).handled == [(A, 0), (A, 1), (A, 2)]


def test_a_partition_that_went_to_another_in_a_rebalance_whose_beginning_failed_is_not_committed():
    async def fail(story):
        with mock.patch.object(story.client, "commit", side_effect=ZeroDivisionError), suppress(ZeroDivisionError):
            await story.rebalance()
        story.client.give([B])
        story.coming = [story.told]

    assert A not in told(fail).log.committed


def test_what_was_taken_and_given_up_uncommitted_comes_again():
    async def fail(story):
        await story.produce(A)
        with mock.patch.object(story.client, "commit", side_effect=CoordinatorLoadInProgressError):
            await story.rebalance()
        await story.poll()  # the client still reads what it had, behind what it took with the first message

    assert sorted(set(told(fail).handled)) == [(A, offset) for offset in range(6)]


def test_a_message_that_comes_while_its_partition_waits_is_not_passed():
    """A client that was told to pause may have taken messages before."""
    side = LaneSide(GRAY)
    side.assigned(A, Committed())
    assert side.decide(A, 5, "gray").do is Do.WAIT
    assert side.decide(A, 7, "gray").do is Do.WAIT
    left = {A: {GRAY: (Span(1, 5, None, ("gray",)),)}}
    assert side.refresh(View(left=left)) == {A: 5}
