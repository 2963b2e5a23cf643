"""Messages of three lanes on Kafka while consumers are killed, come and go, and the broker is killed and started again.

100,000 with `make soak`, else a tenth. The counts are printed.
"""

import time
from collections import Counter

import pytest
from kafka_worker import PATIENCE
from soak import SOAK

pytestmark = [pytest.mark.broker, pytest.mark.soak]

COUNT, PAUSE = (100_000, 12) if SOAK else (10_000, 3)
A_SECOND = 1000 if SOAK else 120


def test_none_is_lost_and_none_handled_by_two_lanes(workers, sent, kafka):
    story = Story(workers, sent, kafka)
    numbers = story.run()
    left = workers.wait_for(numbers, patience=180)
    fallen = workers.fallen()
    workers.stop()
    handled = workers.handled()
    twice = {number: noted for number, noted in handled.items() if len(noted) > 1}
    unexplained = {number: noted for number, noted in twice.items() if not story.came_again(noted)}
    story.report(numbers, left, twice, unexplained)

    assert not left, workers.errors()
    assert not fallen, workers.errors()
    assert not unexplained
    assert {workers.lanes[name] for number in sent.of(None) for name, _ in handled[number]} == {"-"}
    assert story.share_of_blue(handled) > 0.98


class Story:
    """What happens while messages are sent; nobody is killed who has not begun to handle them."""

    def __init__(self, workers, sent, kafka):
        self.workers, self.sent, self.kafka, self.began = workers, sent, kafka, time.time()
        self.away = [0.0, 0.0]  # from when to when the broker was
        self.alone = [0, 0]  # the numbers of messages between which blue's consumer was there without a break

    def run(self):
        self.start(("prod-1", "-", "confluent"), ("prod-2", "-", "aiokafka"), ("gray-1", "gray", "confluent"))
        self.start(("gray-2", "gray", "aiokafka"), ("blue-1", "blue", "confluent"))
        self.sent.keep_sending(pause=0.05, at_once=A_SECOND // 20)
        self.all_work(*self.workers.lanes)
        self.workers.kill("gray-1")  # the other of its lane goes on
        time.sleep(PAUSE)
        self.workers.kill("gray-2", "blue-1")  # nobody of the lanes is left
        self.all_taken_over("gray", "blue")
        time.sleep(PAUSE)
        self.start(("gray-3", "gray", "aiokafka"), ("blue-2", "blue", "confluent"))
        self.all_work("gray-3", "blue-2")
        time.sleep(PAUSE)
        self.restart_broker()
        self.all_work("prod-1", "prod-2", "gray-3", "blue-2")  # each that was there before
        self.alone[0] = len(self.sent.lanes)
        time.sleep(PAUSE)
        self.workers.kill("prod-1")
        self.start(("prod-3", "-", "confluent"))
        self.all_work("prod-3")
        time.sleep(PAUSE)
        self.alone[1] = len(self.sent.lanes)
        self.workers.stop("gray-3")  # in order, for good
        self.sent.stop()
        self.sent.send(max(0, COUNT - len(self.sent.lanes)))
        return range(len(self.sent.lanes))

    def start(self, *workers):
        for name, lane, client in workers:
            self.workers.start(name, lane, client)

    def all_work(self, *names):
        """Wait until each handles messages from now on."""
        assert self.workers.at_work(*names, since=time.time(), patience=PATIENCE) == set(), self.workers.errors()

    def all_taken_over(self, *lanes):
        """Wait until the baseline handles each lane's messages."""
        end = time.monotonic() + PATIENCE
        while any(not self.takeovers(lane) for lane in lanes):
            assert time.monotonic() < end, self.workers.errors()
            time.sleep(0.3)

    def restart_broker(self):
        self.away[0] = time.time()
        self.kafka.kill()
        time.sleep(3)
        self.kafka.start()
        self.away[1] = time.time()

    def takeovers(self, lane):
        """When the baseline handled messages of a lane after the last of its consumers was killed."""
        workers, handled = self.workers, self.workers.handled()
        ended = max(at for name, at in workers.killed.items() if workers.lanes[name] == lane)
        noted = (one for number in self.sent.of(lane) for one in handled.get(number, ()))
        return sorted(at - ended for name, at in noted if workers.lanes[name] == "-" and at > ended)

    def came_again(self, noted):
        """Whether the broker delivered the message again: who handled it before was killed, or could not commit."""
        since, until = self.away[0] - 6, self.away[1] + 10
        return all(name in self.workers.killed or since < at < until for name, at in noted[:-1])

    def share_of_blue(self, handled):
        """How much of blue's messages its own consumer handled, after the broker's restart."""
        numbers = self.sent.of("blue", range(*self.alone))
        return sum(handled[one][0][0] == "blue-2" for one in numbers) / len(numbers)

    def report(self, numbers, left, twice, unexplained):
        handled, lanes = self.workers.handled(), self.workers.lanes
        two_lanes = sum(len({lanes[name] for name, _ in noted}) > 1 for noted in twice.values())
        print(f"\n{len(numbers)} sent, {len(handled)} handled, {len(left)} lost")
        print(f"{len(twice)} handled twice, {two_lanes} of them by two lanes; {len(unexplained)} without a redelivery")
        for lane in ("gray", "blue"):
            print(f"the baseline took over {self.takeovers(lane)[0]:.1f} s after the last of {lane} was killed")
        for lane in ("gray", "blue", None):
            by = Counter(name for number in self.sent.of(lane) for name, _ in handled.get(number, ()))
            print(f"lane {lane}: {dict(sorted(by.items()))}")
        for name in lanes:
            times = [at - self.began for noted in handled.values() for one, at in noted if one == name] or [0.0]
            print(f"{name} was at work from second {min(times):.0f} to second {max(times):.0f}")
        print(f"the broker was away from second {self.away[0] - self.began:.0f} to {self.away[1] - self.began:.0f}")
        print(f"then {self.share_of_blue(handled):.1%} of blue's messages were handled by blue's consumer")
