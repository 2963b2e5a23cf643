"""Many messages of three lanes, through kills of consumers and of the broker: none is lost, none handled by two lanes
except what the broker delivered again. `make soak` sends all of them, `make broker-test` a tenth.
"""

import threading
import time
from collections import defaultdict

import pytest
from lane_adapters import WORLDS
from soak import SOAK

pytestmark = [pytest.mark.broker, pytest.mark.soak]
MESSAGES = {"pika": 20_000, "aio-pika": 20_000, "celery": 5_000, "sqs": 1_000}
SHARE = 1 if SOAK else 10
STEPS = 20


@pytest.mark.parametrize("library", MESSAGES)
def test_nothing_is_lost_and_nothing_is_handled_twice(library, request, tmp_path):
    world = WORLDS[library](request.getfixturevalue(WORLDS[library].kind), tmp_path)
    try:
        story = Story(world, MESSAGES[library] // SHARE)
        story.run()
        world.until_all_handled(patience=600)
        story.report()
        assert story.handled_twice() == set()
    finally:
        world.end()


class Story:
    """What happens to one world while it is sent messages."""

    def __init__(self, world, count):
        self.world, self.count, self.lane_of = world, count, {}
        self.kills = {}  # by lane, when its consumer was killed
        self.broker_away = float("inf")  # since when

    def run(self):
        """Send in steps; between two of them something happens."""
        world = self.world
        world.start("prod", "prod")
        workers = {lane: world.start(lane) for lane in ("gray", "blue")}
        before = {
            5: lambda: self.settle("gray"),
            8: self.kill_broker,
            12: lambda: world.start("gray"),
            15: lambda: self.settle("blue"),
        }
        after = {5: lambda: self.kill("gray", workers["gray"]), 15: lambda: self.kill("blue", workers["blue"])}
        for step in range(STEPS):
            before.get(step, _nothing)()
            self.send(range(step * self.count // STEPS, (step + 1) * self.count // STEPS))
            after.get(step, _nothing)()

    def send(self, numbers):
        for lane, part in (("gray", numbers[::3]), ("blue", numbers[1::3]), (None, numbers[2::3])):
            self.lane_of.update(dict.fromkeys(part, lane or "prod"))
            self.world.send_many(lane, part)

    def settle(self, lane):
        """Wait until the lane alone has what is its own, so that what the baseline handles later was taken over."""
        self.world.until_all_handled(patience=600)
        self.world.eventually(lambda: self.world.has_released(self.world.queue_of(lane)))

    def kill(self, lane, worker):
        """In the middle of what it was just sent."""
        self.world.kill(worker)
        self.kills[lane] = time.time()

    def kill_broker(self):
        """While nothing is on the way to it; the producers go on, and meet a broker that is not there.

        Not before the baseline has taken over from gray, which cannot be seen without a broker.
        """
        self.world.eventually(lambda: "gray" in dict(self.takeovers()))
        if self.world.library == "sqs":
            return  # what is in moto's queues would not outlive it
        self.world.broker.kill()
        self.broker_away = time.time()
        self.restart = threading.Timer(1, self.world.broker.start)
        self.restart.start()

    def handled_twice(self):
        """The numbers that two lanes handled, without those that the broker delivered again."""
        lines = defaultdict(list)
        for line in sorted(self.world.handled(), key=lambda line: line["at"]):
            lines[line["n"]].append(line)
        return {number for number, found in lines.items() if any(map(self._is_unasked, found, found[1:]))}

    def _is_unasked(self, first, second):
        # A broker that was killed may have forgotten that it has delivered a message.
        again = second["redelivered"] or first["at"] <= self.broker_away + 1 <= second["at"] + 1
        return first["lane"] != second["lane"] and not again

    def takeovers(self):
        """Seconds from the kill of each lane's consumer until the baseline handled the first of its messages."""
        by_baseline = [line for line in self.world.handled() if line["lane"] == "prod"]
        for lane, killed in self.kills.items():
            of_lane = [line["at"] for line in by_baseline if self.lane_of[line["n"]] == lane and line["at"] > killed]
            if of_lane:
                yield lane, min(of_lane) - killed

    def report(self):
        lines = self.world.handled()
        counts = {lane: len(numbers) for lane, numbers in sorted(self.world.by_lane().items())}
        print(f"\n  {self.world.library}: sent {self.count}, handled {len({line['n'] for line in lines})} by {counts},")
        print(f"    {len(lines) - self.count} of them again, {sum(line['redelivered'] for line in lines)} redelivered")
        for lane, seconds in self.takeovers():
            print(f"    the baseline took over from {lane} after {seconds:.1f} s")


def _nothing():
    """Happens in most steps."""
