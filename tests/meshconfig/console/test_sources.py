"""What the console keeps of persons and groups, and for how long."""

import gc
import weakref

from meshconfig.console.sources.access import IDLE, ByToken
from meshconfig.console.sources.snapshots import KEPT, Snapshots


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
