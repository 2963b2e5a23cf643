"""A name is in the queue once, and with one worker at a time; what changes meanwhile is not lost."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from meshconfig.controller.queue import WorkQueue

NAMES = st.sampled_from("abc")


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_name_that_is_added_often_is_taken_once():
    queue = WorkQueue()
    for _ in range(5):
        queue.add("a")
    assert (queue.take(), len(queue)) == ("a", 0)


def test_what_changes_while_it_is_looked_at_comes_again_and_not_before():
    queue = WorkQueue()
    queue.add("a")
    assert queue.take() == "a"
    queue.add("a")
    queue.add("b")
    assert queue.take() == "b", "a is with a worker"
    queue.done("a")
    assert queue.take() == "a"


def test_the_earlier_time_holds():
    clock = Clock()
    queue = WorkQueue(clock)
    queue.add("a", after=60)
    queue.add("b", after=30)
    queue.add("a", after=10)
    clock.now = 30.0
    assert [queue.take(), queue.take()] == ["a", "b"]


def test_what_is_urgent_comes_first_once_it_is_due():
    clock = Clock()
    queue = WorkQueue(clock)
    queue.add("a")
    queue.add("b", after=10)
    queue.add("c", after=20, urgent=True)
    assert queue.take() == "a"
    clock.now = 30.0
    queue.add("a")
    queue.done("a")
    assert [queue.take(), queue.take()] == ["c", "b"]
    queue.done("c")
    queue.add("c")
    assert [queue.take(), queue.take()] == ["a", "c"], "it is no longer urgent"


def test_closing_ends_all_waiting():
    queue = WorkQueue()
    found = []
    waiting = threading.Thread(target=lambda: found.append(queue.take()))
    waiting.start()
    queue.close()
    waiting.join(10)
    assert found == [None]


def test_a_forgotten_name_is_not_looked_at():
    queue = WorkQueue()
    queue.add("a")
    queue.forget("a")
    queue.add("b")
    assert queue.take() == "b"


@given(st.lists(st.one_of(st.tuples(st.just("add"), NAMES), st.just(("work", ""))), max_size=40))
def test_after_the_last_change_of_each_name_somebody_looks_at_it(steps):
    """Whatever the order of changes and work, no change is without a look that begins after it."""
    queue, dirty, looked = WorkQueue(Clock()), set(), 0
    for what, name in [*steps, *([("work", "")] * 3)]:
        if what == "add":
            queue.add(name)
            dirty.add(name)
        elif len(queue):
            one = queue.take()
            dirty.discard(one)
            looked += 1
            queue.done(one)
    assert dirty == set()
    assert looked <= sum(what == "add" for what, _ in steps)
