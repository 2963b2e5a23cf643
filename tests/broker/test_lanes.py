"""What every library must do with messages by lane, against its real broker and with consumers in other processes.

What each library needs: tests/support/lane_adapters.py and lane_worker.py. The baseline's worker starts last where each
lane is to handle its own from the first message on: it may take from a lane's queue until it has seen its worker.
"""

import itertools

import pytest
from lane_adapters import WORLDS

pytestmark = pytest.mark.broker


@pytest.fixture(params=WORLDS)
def world(request, tmp_path):
    broker = request.getfixturevalue(WORLDS[request.param].kind)
    found = WORLDS[request.param](broker, tmp_path)
    yield found
    found.end()
    counts = {lane: len(numbers) for lane, numbers in sorted(found.by_lane().items())}
    print(f"\n  {request.node.name}: sent {len(found.sent)}, handled {counts}")


def test_each_lane_handles_its_own(world):
    world.start("gray", "blue", "prod")
    world.send_many(None, range(5))
    world.send_many("prod", range(5, 10))
    world.send_many("gray", range(10, 20))
    world.send_many("blue", range(20, 30))
    assert world.until_all_handled() == {"prod": {*range(10)}, "gray": {*range(10, 20)}, "blue": {*range(20, 30)}}


def test_the_baseline_handles_a_lane_that_has_no_consumer(world):
    world.start("blue", "prod")
    world.send_many("gray", range(5))
    world.send_many("blue", range(5, 10))
    assert world.until_all_handled() == {"prod": {*range(5)}, "blue": {*range(5, 10)}}


def test_the_baseline_handles_a_tag_that_no_lane_has(world):
    world.start("gray", "prod")
    for number, tag in enumerate(["purple", "gray2", "prod.gray"]):
        world.send_many(tag, [number])
    assert world.until_all_handled() == {"prod": {0, 1, 2}}


UNREADABLE = [{"env": b"\xff\xfe"}, {"env": "no lane, surely"}, {"baggage": "env=%zz;;=,"}, {"env": "gray" * 15_000}]
FORGED = [
    {"env": ["gray"]},
    {"env": {"env": "gray"}},
    {"env": 10**12},
    {"x-death": [{"queue": "orders.gray", "count": 10**12}], "x-delivery-count": -1, "retries": 10**6},
]


def test_a_message_whose_headers_cannot_be_read_is_the_baselines(world):
    world.start("gray", "prod")
    listed = UNREADABLE + (FORGED if world.kind == "rabbitmq" else [])
    for number, headers in enumerate(listed):
        world.sent[number] += 1
        world.send_raw(b'{"n": %d}' % number, headers)
    assert world.until_all_handled() == {"prod": {*range(len(listed))}}


def test_without_a_roster_the_baseline_handles_everything(world, caplog):
    world.roster.unlink()
    world.start("gray", "prod")
    for lane in ("gray", "blue", None):
        world.send_many(lane, range(len(world.sent), len(world.sent) + 5))
    assert world.until_all_handled() == {"prod": {*range(15)}}
    assert len([line for line in caplog.messages if str(world.roster) in line]) == 1


def test_a_roster_that_goes_away_stays_in_force(world):
    world.start("gray", "prod")
    world.send_many("gray", range(5))
    world.roster.unlink()
    world.send_many("gray", range(5, 10))
    world.send_many(None, range(10, 15))
    assert world.until_all_handled() == {"gray": {*range(10)}, "prod": {*range(10, 15)}}


def test_what_a_killed_consumer_leaves_goes_to_the_baseline(world):
    gray = world.start("gray", prefetch=2)
    world.start("prod")
    world.gate.touch()
    world.send_many("gray", range(6), do="wait")
    world.eventually(lambda: world.is_taken(world.queue_of("gray")))
    world.kill(gray)
    world.gate.unlink()
    world.send_many("gray", range(6, 10))
    assert world.until_all_handled() == {"prod": {*range(10)}}


def test_a_lane_that_comes_back_handles_its_own_again(world):
    world.start("prod")
    world.kill(world.start("gray"))
    world.send_many("gray", range(5))
    assert world.until_all_handled() == {"prod": {*range(5)}}
    world.start("gray")
    world.eventually(lambda: world.has_released(world.queue_of("gray")))
    numbers = itertools.count(5)
    world.eventually(lambda: world.send_many("gray", [next(numbers)]) or "gray" in world.by_lane())
    first = next(numbers)
    world.send_many("gray", range(first, first + 10))
    assert world.until_all_handled()["gray"] >= {*range(first, first + 10)}


def test_what_a_lane_leaves_is_handled_though_the_roster_and_the_baseline_are_new(world):
    """As a promotion does it: the lane leaves the roster, and each consumer is started anew."""
    gray = world.start("gray", prefetch=1)
    world.gate.touch()
    world.send_many("gray", range(4), do="wait")
    world.eventually(lambda: world.is_taken(world.queue_of("gray")))
    world.kill(gray)
    world.list_lanes("prod")
    world.gate.unlink()
    world.put_into_register(b"", b"\xff\xfe", b"x" * 600, b"\x00", b"no queue of this broker")
    world.start("prod")
    assert world.until_all_handled() == {"prod": {*range(4)}}


def test_a_retry_stays_in_its_lane(world):
    world.start("gray", "prod")
    world.send_many("gray", range(3), do="flaky")
    world.send_many(None, range(3, 6), do="flaky")
    assert world.until_all_handled() == {"gray": {*range(3)}, "prod": {*range(3, 6)}}
    assert all(line["redelivered"] for line in world.handled())


def test_dead_letters_of_each_lane_go_where_the_baselines_go(world):
    assert world.dead() == 0
    world.start("gray", "prod")
    world.send_many("gray", range(3), do="reject")
    world.send_many(None, range(3), do="reject")
    world.eventually(lambda: world.dead() == 6)
    assert world.handled() == []


def test_prefetch_holds_for_a_lanes_queue(world):
    world.start("gray", prefetch=2)
    world.gate.touch()
    world.send_many("gray", range(10), do="wait")
    world.eventually(lambda: 8 <= world.waiting(world.queue_of("gray")) <= 9)
    world.gate.unlink()
    assert world.until_all_handled() == {"gray": {*range(10)}}


def test_a_message_for_a_queue_that_somebody_has_deleted_is_the_baselines(world):
    if world.library == "celery":
        pytest.skip("kombu does not hear of it; the page says so")
    world.start("prod")
    gray = world.start("gray")
    world.send_many("gray", range(3))
    assert world.until_all_handled() == {"gray": {*range(3)}}
    world.kill(gray)
    world.delete(world.queue_of("gray"))
    world.send_many("gray", range(3, 8))
    assert world.until_all_handled() == {"gray": {*range(3)}, "prod": {*range(3, 8)}}


def test_a_broker_that_is_away_for_a_while_loses_nothing(world):
    world.start("gray", "prod")
    world.send_many("gray", range(5))
    world.interrupt_broker()
    world.send_many("gray", range(5, 10))
    world.send_many(None, range(10, 15))
    handled = world.until_all_handled()
    assert set().union(*handled.values()) == {*range(15)}
    assert handled["gray"] <= {*range(10)}
