"""Lanes on a real Kafka: each message is handled by its lane's consumer, or by the baseline's where there is none.

Workers are processes, so that they can be killed.
"""

import time

import pytest
from kafka_worker import CLIENTS, LINGER, PATIENCE

from propagation.messaging.lanes.confluent_look import ASK_SECONDS

pytestmark = pytest.mark.broker


def settled(workers, sent, lanes):
    """Wait until the lanes' consumers handle their own messages."""
    end = time.monotonic() + PATIENCE
    waiting = dict(lanes)
    while waiting and time.monotonic() < end:
        numbers = sent.send(3 * 8)
        assert not workers.wait_for(numbers), workers.errors()
        handled = workers.handled()
        for worker, lane in list(waiting.items()):
            if all(handled[one][0][0] == worker for one in sent.of(lane, numbers)):
                del waiting[worker]
    assert not waiting, (waiting, workers.errors())


def at_work(workers, *names):
    assert not workers.at_work(*names, since=time.time()), workers.errors()


def by_worker(workers, numbers):
    handled = workers.handled()
    assert [one for one in numbers if len(handled[one]) > 1] == []
    return {handled[one][0][0] for one in numbers}


@pytest.fixture(params=CLIENTS)
def client(request):
    return request.param


def test_each_lane_has_its_own_and_the_baseline_the_rest(workers, sent, client):
    workers.start("prod", client=client)
    workers.start("gray", "gray", client)
    settled(workers, sent, {"gray": "gray"})
    numbers = sent.send(300)
    assert not workers.wait_for(numbers), workers.errors()
    assert by_worker(workers, sent.of("gray", numbers)) == {"gray"}
    assert by_worker(workers, sent.of("blue", numbers)) == {"prod"}  # nobody is there for it
    assert by_worker(workers, sent.of(None, numbers)) == {"prod"}


@pytest.mark.parametrize(("baselines", "lanes"), [CLIENTS, [*CLIENTS][::-1]])
def test_a_baseline_and_a_lane_by_different_clients(workers, sent, baselines, lanes):
    workers.start("prod", client=baselines)
    workers.start("gray", "gray", lanes)
    settled(workers, sent, {"gray": "gray"})
    sent.keep_sending(pause=0.01)
    workers.stop("gray")
    workers.start("prod-2", client=lanes)
    at_work(workers, "prod-2")
    workers.stop("prod")
    workers.start("gray-2", "gray", baselines)
    at_work(workers, "gray-2")
    numbers = sent.stop()
    assert not workers.wait_for(numbers), workers.errors()
    assert by_worker(workers, numbers) >= {"prod-2", "gray", "gray-2"}


def test_at_a_lanes_end_the_baseline_goes_on_and_when_it_is_back_the_lane_does(workers, sent, client):
    workers.start("prod", client=client)
    workers.start("gray", "gray", client)
    settled(workers, sent, {"gray": "gray"})
    sent.keep_sending(pause=0.01)
    at_work(workers, "gray")
    workers.stop("gray")
    time.sleep(LINGER + 6)  # the baseline stands in, and takes the lane's messages back for good
    workers.start("gray-2", "gray", client)
    at_work(workers, "gray-2")
    numbers = sent.stop()
    assert not workers.wait_for(numbers), workers.errors()
    assert by_worker(workers, numbers) == {"prod", "gray", "gray-2"}
    assert by_worker(workers, sent.of(None, numbers)) == {"prod"}


def test_a_killed_lane_is_taken_over_within_15_seconds(workers, sent, client):
    workers.start("prod", client=client)
    workers.start("gray", "gray", client)
    settled(workers, sent, {"gray": "gray"})
    sent.keep_sending(pause=0.02)
    at_work(workers, "gray")
    workers.kill("gray")
    killed = len(sent.lanes)
    while len(sent.lanes) < killed + 6:
        time.sleep(0.1)
    assert not workers.wait_for(sent.of("gray", range(killed + 3, killed + 6))), workers.errors()
    numbers = sent.stop()
    assert not workers.wait_for(numbers), workers.errors()
    handled = workers.handled()
    after = [handled[one] for one in sent.of("gray", range(killed + 3, len(sent.lanes)))]
    assert {name for noted in after for name, _ in noted} == {"prod"}
    first = min(at for noted in after for _, at in noted)
    print(f"\n{client}: taken over {first - workers.killed['gray']:.1f} s after the kill")
    twice = [handled[one] for one in numbers if len(handled[one]) > 1]
    assert all(names[0][0] == "gray" for names in twice)  # what it had not committed came again


def test_a_lane_that_is_no_longer_meant_is_the_baselines_while_its_consumer_goes_on(workers, sent, client, orders):
    workers.start("prod", client=client)
    workers.start("gray", "gray", client)
    settled(workers, sent, {"gray": "gray"})
    orders.meant("blue")
    settled(workers, sent, {"prod": "gray"})
    orders.meant("gray")
    settled(workers, sent, {"gray": "gray"})
    assert by_worker(workers, range(len(sent.lanes))) == {"prod", "gray"}


def test_members_come_and_go_in_both_groups(workers, sent, client):
    workers.start("prod", client=client)
    workers.start("gray", "gray", client)
    settled(workers, sent, {"gray": "gray"})
    sent.keep_sending(pause=0.01)
    for turn in range(2):
        workers.start(f"prod-{turn}", client=client)
        workers.start(f"gray-{turn}", "gray", client)
        at_work(workers, f"prod-{turn}", f"gray-{turn}")
        workers.stop("prod" if turn else "prod-0", "gray" if turn else "gray-0")
    time.sleep(3)
    numbers = sent.stop()
    assert not workers.wait_for(numbers), workers.errors()
    assert {workers.lanes[one] for one in by_worker(workers, sent.of("gray", numbers))} <= {"gray", "-"}
    late = sent.of("gray", numbers)[-30:]
    assert {workers.lanes[one] for one in by_worker(workers, late)} == {"gray"}


def test_each_lane_goes_on_after_the_broker_was_away(workers, sent, kafka):
    """Also for longer than a question may take, which is of its own effect on the clients."""
    lanes = {"gray-1": "gray", "blue-1": "blue"}
    workers.start("prod-1", client="confluent")
    workers.start("prod-2", client="aiokafka")
    workers.start("gray-1", "gray", "confluent")
    workers.start("blue-1", "blue", "aiokafka")
    settled(workers, sent, lanes)
    for seconds in (0, ASK_SECONDS + 2):
        kafka.kill()
        time.sleep(seconds)
        kafka.start()
        settled(workers, sent, lanes)
    numbers = sent.send(300)
    assert not workers.wait_for(range(len(sent.lanes))), workers.errors()
    assert by_worker(workers, sent.of("gray", numbers)) == {"gray-1"}
    assert by_worker(workers, sent.of("blue", numbers)) == {"blue-1"}


def test_without_a_roster_the_baseline_handles_every_lane(workers, sent, client, orders):
    orders.path.unlink()
    workers.start("prod", client=client)
    workers.start("gray", "gray", client)
    numbers = sent.send(60)
    assert not workers.wait_for(numbers), workers.errors()
    assert by_worker(workers, numbers) == {"prod"}
    assert "the baseline handles every lane" in workers.errors()
    orders.meant("gray")
    settled(workers, sent, {"gray": "gray"})
