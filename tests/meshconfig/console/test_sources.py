"""What the console keeps of persons and groups, and for how long."""

import gc
import threading
import weakref
from functools import partial

from meshconfig.console.sources.access import IDLE, ByToken
from meshconfig.console.sources.snapshots import KEPT, MOST, Snapshots


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Large:
    pass


def test_a_reading_that_is_no_longer_shown_is_dropped():
    clock = Clock()
    seen = Snapshots(clock)
    old = weakref.ref(seen.get("old", Large, 5))
    seen.get("new", Large, 5)
    assert old() is not None
    clock.now = KEPT
    seen.get("new", Large, 5)
    gc.collect()
    assert old() is None


def test_readings_that_hang_are_not_begun_twice_and_let_no_others_begin():
    seen, end, begun = Snapshots(Clock()), threading.Event(), []

    def hang(key):
        begun.append(key)
        end.wait(20)
        return key

    for _ in range(3):
        for key in range(MOST + 10):
            assert seen.get(key, partial(hang, key), 0) is None
    end.set()
    for key in range(MOST):
        seen.get(key, partial(hang, key), 20)
    assert sorted(begun) == list(range(MOST))
    assert seen.get("late", partial(hang, "late"), 20) == "late"


def test_a_person_who_is_idle_is_dropped_and_one_who_is_not_keeps_the_source():
    clock = Clock()
    access = ByToken("http://127.0.0.1:1", clock=clock)
    gone, stays = weakref.ref(access.source("a")), weakref.ref(access.source("b"))
    clock.now = IDLE
    assert access.source("b") is stays()
    assert gone() is not None
    clock.now = IDLE + 1
    assert access.source("b") is stays()
    gc.collect()
    assert gone() is None


def test_a_source_that_a_change_holds_is_the_same_after_any_time():
    clock = Clock()
    access = ByToken("http://127.0.0.1:1", clock=clock)
    held = access.source("a")
    clock.now = 2 * IDLE
    access.source("b")
    assert access.source("a") is held
