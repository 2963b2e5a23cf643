"""How many rollouts a driver reads, drives and works on at a time."""

import json
import threading
from copy import deepcopy

import pytest
from faults import Fault
from rollout_world import rollout
from runner_world import cluster, mesh, until

from meshconfig.rollout import beside, store
from meshconfig.rollout.runner import driver
from meshconfig.rollout.runner import room as rooms
from meshconfig.rollout.runner.room import LARGE, LARGE_ROOM, LEAST, SMALL_ROOM, Room
from meshconfig.rollout.state import MOST_ENTRIES, Phase, Stage, State, recent

__all__ = ["cluster", "mesh"]


@pytest.fixture
def room():
    """It ends all waiting after the test."""
    stop = threading.Event()
    yield Room(stop)
    stop.set()


class Entering(threading.Thread):
    """A worker that wants to work on a group of so many bytes."""

    def __init__(self, room, weight):
        super().__init__(daemon=True)
        self.room, self.weight = room, weight
        self.inside, self.leave, self.there = threading.Event(), threading.Event(), None
        self.start()

    def run(self):
        with self.room.of(self.weight) as self.there:
            self.inside.set()
            self.leave.wait(30)

    def ends(self):
        self.leave.set()
        self.join(30)


def test_small_groups_do_not_wait_for_a_large_one(room):
    large = Entering(room, 10 * LARGE_ROOM)
    assert large.inside.wait(30)
    small = [Entering(room, 2_000) for _ in range(20)]
    assert all(one.inside.wait(30) for one in small)
    for one in (large, *small):
        one.ends()


def test_a_second_large_group_waits_until_there_is_room(room):
    first = Entering(room, LARGE_ROOM // 2 + 1)
    assert first.inside.wait(30)
    second = Entering(room, LARGE_ROOM // 2 + 1)
    assert not second.inside.wait(0.3)
    first.ends()
    assert second.inside.wait(30)
    second.ends()


def test_a_group_larger_than_the_room_is_worked_on_alone_and_is_not_passed_over(room):
    first = Entering(room, LARGE)
    assert first.inside.wait(30)
    huge = Entering(room, 2 * LARGE_ROOM)
    assert not huge.inside.wait(0.2)
    late = Entering(room, LARGE)
    assert not late.inside.wait(0.3)
    first.ends()
    assert huge.inside.wait(30)
    assert not late.inside.is_set()
    huge.ends()
    assert late.inside.wait(30)
    late.ends()


def test_the_smallest_work_has_a_weight_too(room):
    fit = SMALL_ROOM // LEAST
    inside = [Entering(room, 1) for _ in range(fit)]
    assert all(one.inside.wait(30) for one in inside)
    late = Entering(room, 1)
    assert not late.inside.wait(0.3)
    inside[0].ends()
    assert late.inside.wait(30)
    for one in (*inside, late):
        one.ends()


def test_waiting_ends_when_the_runner_stops():
    stop = threading.Event()
    room = Room(stop)
    first = Entering(room, SMALL_ROOM)
    assert first.inside.wait(30)
    second = Entering(room, LARGE - 1)
    for _ in range(SMALL_ROOM // LARGE):
        Entering(room, LARGE - 1)
    stop.set()
    assert second.inside.wait(30)
    first.ends()


def copies(mesh, count, log=1):
    """So many rollouts, active and with a log of so many entries, each later than the last."""
    found = mesh.api.objects.pop(("rollouts", "demo", "cat-v2"))
    value = json.loads(found["status"]["state"])
    entry = value["log"][0]
    for number in range(count):
        name = f"r{number}"
        value["rollout"]["metadata"]["name"] = name
        value["begun"] = f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z"
        value["log"] = [{**entry, "number": more} for more in range(1, log + 1)]
        status = {**found["status"], "state": json.dumps(value)}
        mesh.api.put({**deepcopy(found), "metadata": {"name": name, "namespace": "demo"}, "status": status})


def state_text(mesh, name):
    return mesh.object(name)["status"]["state"]


def drives(mesh):
    """The rollouts that the driver has said something of."""
    return {name for name in mesh.api.names("rollouts") if any(one.startswith(f"{name}:") for one in mesh.said)}


def test_a_driver_drives_as_many_as_it_may_and_says_that_others_wait(mesh, monkeypatch):
    mesh.start(rollout([{"pause": {}}, {"weight": 100}]))
    copies(mesh, 5)
    monkeypatch.setattr(driver, "MOST", 2)
    threads, said = [], "3 rollouts wait: a controller drives 2 at a time, the oldest first"
    mesh.api.before.append(lambda *_: threads.append([one.name for one in threading.enumerate()]))
    with mesh.driven():
        until(lambda: said in mesh.said and drives(mesh) >= {"r0", "r1"})
    assert max(len([one for one in names if one.startswith("rollout-r")]) for names in threads) == 2


@pytest.mark.slow
def test_of_large_rollouts_few_are_worked_on_at_a_time_and_each_is(mesh, monkeypatch):
    mesh.start(rollout([{"pause": {}}, {"weight": 100}]))
    copies(mesh, 6, log=2_000)
    weight = store.read(mesh.client, "demo", "r0").weight
    assert weight > LARGE
    monkeypatch.setattr(rooms, "LARGE_ROOM", 2 * weight + 1)
    inside, most = [], []
    looks = {f"r{number}": 0 for number in range(6)}

    def look(method, path):
        name = path.rpartition("/rollouts/")[2]
        if method == "GET" and name in looks:
            inside.append(name)
            threading.Event().wait(0.01)
            most.append(len(inside))
            inside.remove(name)
            looks[name] += 1

    mesh.api.before.append(look)
    with mesh.driven():
        until(lambda: min(looks.values()) > 0)
    assert max(most) <= 2


def test_of_a_long_log_the_newest_entries_are_read(mesh):
    mesh.start(rollout([{"weight": 100}]))
    copies(mesh, 1, log=4_000)
    text = state_text(mesh, "r0")
    assert len(text) > 500_000
    log = State.from_json(recent(text)).log
    assert [one.number for one in log] == list(range(4_001 - MOST_ENTRIES, 4_001))
    record = store.read(mesh.client, "demo", "r0")
    assert record.state.log == log


@pytest.mark.slow
def test_of_rollouts_that_fill_the_memory_the_oldest_of_a_group_count_and_a_list_shows_the_newest(mesh):
    mesh.start(rollout([{"weight": 100}]))
    copies(mesh, 12, log=9_000)
    found = store.records(mesh.client, "demo", group="pets")
    assert 5 < len(found) < 12
    assert [one.name for one in found] == [f"r{number}" for number in range(len(found))]
    newest = store.newest(mesh.client, "demo", lambda state: (4 << 20, state.name)).kept
    assert (newest.items, newest.omitted) == (["r9", "r10", "r11"], 9)


def test_however_many_have_ended_what_lies_over_a_group_is_found(mesh, monkeypatch):
    mesh.start(rollout([{"weight": 100}]))
    copies(mesh, 12)
    for number in range(11):
        value = json.loads(state_text(mesh, f"r{number}"))
        mesh.object(f"r{number}")["status"]["state"] = json.dumps({**value, "stage": "aborted"})
    monkeypatch.setattr(store, "OVERHEAD", 20 << 20)  # so that one of them fits into the memory for them
    assert [one.name for one in beside.laid(mesh.client, "demo", "pets")] == ["r11"]


@pytest.mark.slow
def test_a_rollout_of_very_many_parts_weighs_more_than_its_text(mesh):
    mesh.start(rollout([{"weight": 100}]))
    copies(mesh, 12)
    small = store.read(mesh.client, "demo", "r0").weight
    for number in range(12):
        value = json.loads(state_text(mesh, f"r{number}"))
        value["rollout"]["spec"]["steps"] = [{"pause": {}}] * 3_000 + [{"weight": 100}]
        mesh.object(f"r{number}")["status"]["state"] = json.dumps(value)
    assert store.read(mesh.client, "demo", "r0").weight > small + 15_000  # its text is 4,000 of them
    found = store.records(mesh.client, "demo", group="pets")
    assert [one.name for one in found] == ["r0", "r1", "r2", "r3"][: len(found)]


def test_of_the_other_rollouts_of_a_group_the_newest_entry_is_kept(mesh):
    mesh.start(rollout([{"weight": 100}]))
    copies(mesh, 2, log=300)
    assert [[entry.number for entry in one.state.log] for one in store.records(mesh.client, "demo")] == [[300], [300]]
    assert len(store.read(mesh.client, "demo", "r0").state.log) == 300


@pytest.mark.parametrize("kind", ["500", "conflict", "503"])
def test_an_error_of_the_api_server_when_a_rollout_begins_does_not_end_it(mesh, kind):
    mesh.start(rollout([{"weight": 50}, {"pause": {}}, {"weight": 100}]))
    met = []

    def fault(method, path):
        if "graylane.dev%2Frevision" in path and not met:
            met.append(path)
            return Fault(kind)
        return None

    mesh.api.fault = fault
    state = mesh.run(until=lambda state: state.stage is Stage.APPROVAL)
    assert met
    assert (state.phase, state.applied) == (Phase.PAUSED, 50)
