"""Threads and pools: work has the tag of whoever asked for it, and a reused thread keeps nothing."""

import asyncio
import concurrent.futures
import gc
import multiprocessing.pool
import threading
import weakref
from contextlib import ExitStack
from typing import Any

import pytest

from propagation import executors, get, instrument, uninstrument, use

LANES = ["gray", "prod", None, "gray", None, "prod"]


@pytest.fixture
def threading_carries():
    instrument("threading")
    yield
    uninstrument("threading")


@pytest.fixture(params=["ours", "instrumented"])
def pool_class(request):
    """A ThreadPoolExecutor that carries: ours, or the stdlib's while threading is instrumented."""
    if request.param == "ours":
        yield executors.ThreadPoolExecutor
    else:
        request.getfixturevalue("threading_carries")
        yield concurrent.futures.ThreadPoolExecutor


@pytest.fixture(params=["ours", "instrumented"])
def thread_class(request):
    if request.param == "ours":
        yield executors.Thread
    else:
        request.getfixturevalue("threading_carries")
        yield threading.Thread


def test_each_call_has_the_tag_of_its_submitter(pool_class):
    with pool_class(1) as pool:
        asked = []
        for lane in LANES:
            with use(env=lane):
                asked.append(pool.submit(get, "env"))
        assert [one.result() for one in asked] == LANES


def test_map_has_the_tag_too(pool_class):
    with pool_class(2) as pool, use(env="gray"):
        assert list(pool.map(get, ["env"] * 4)) == ["gray"] * 4


def test_what_a_call_sets_stays_in_the_call(pool_class):
    def setting():
        stack.enter_context(use(env="prod"))

    stack = ExitStack()
    with pool_class(1) as pool:
        pool.submit(setting).result()
        assert pool.submit(get, "env").result() is None


def test_arguments_and_errors_pass(pool_class):
    with pool_class(1) as pool:
        assert pool.submit(dict, fn=1, a=2).result() == {"fn": 1, "a": 2}
        with pytest.raises(ZeroDivisionError):
            pool.submit(divmod, 1, 0).result()


def test_a_pools_threads_do_not_keep_the_tag_of_the_request_that_started_them(threading_carries):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with use(env="gray"):
            pool.submit(get, "env").result()
        uninstrument("threading")
        assert pool.submit(get, "env").result() is None


@pytest.mark.usefixtures("threading_carries")
def test_other_pools_of_the_standard_library_do_not_keep_it_either():
    with use(env="gray"):
        pool = multiprocessing.pool.ThreadPool(1)
    with pool:
        assert pool.apply(get, ("env",)) is None


def run_in(thread):
    thread.start()
    thread.join()


def test_a_thread_has_the_tag_of_whoever_started_it(thread_class):
    seen = []
    thread = thread_class(target=lambda: seen.append(get("env")))
    with use(env="gray"):
        run_in(thread)
    run_in(thread_class(target=lambda: seen.append(get("env"))))
    assert seen == ["gray", None]


def test_a_thread_with_a_run_of_its_own_too(thread_class):
    class Worker(thread_class):  # type: ignore[valid-type, misc]  # each of several
        def run(self):
            self.seen = get("env")

    worker = Worker()
    with use(env="gray"):
        run_in(worker)
    assert worker.seen == "gray"


def test_a_timer_too(threading_carries):
    seen = []
    with use(env="gray"):
        run_in(threading.Timer(0, lambda: seen.append(get("env"))))
    assert seen == ["gray"]


def test_a_finished_thread_is_not_kept(thread_class):
    thread = thread_class(target=int)
    run_in(thread)
    gone = weakref.ref(thread)
    gc.disable()
    try:
        del thread
        assert gone() is None
    finally:
        gc.enable()


def test_a_thread_starts_once(thread_class):
    thread = thread_class(target=int)
    run_in(thread)
    with pytest.raises(RuntimeError, match="once"):
        thread.start()


def test_a_thread_that_could_not_be_started_can_be_later(thread_class, monkeypatch):
    seen = []
    thread = thread_class(target=lambda: seen.append(get("env")))
    starter = "_start_joinable_thread" if hasattr(threading, "_start_joinable_thread") else "_start_new_thread"

    def full(*args, **kwargs):
        raise RuntimeError("can't start new thread")

    with use(env="gray"):
        with monkeypatch.context() as patch:
            patch.setattr(threading, starter, full)
            with pytest.raises(RuntimeError, match="can't start"):
                thread.start()
        run_in(thread)
    assert seen == ["gray"]


def test_the_loops_own_executor():
    async def main():
        with use(env="gray"):
            return await executors.run_in_executor(None, get, "env"), await asyncio.to_thread(get, "env")

    assert asyncio.run(main()) == ("gray", "gray")


def test_the_loops_own_executor_when_instrumented(threading_carries):
    async def main():
        loop = asyncio.get_running_loop()
        with use(env="gray"):
            asked = loop.run_in_executor(None, get, "env")
        return await asked, await loop.run_in_executor(None, get, "env")

    assert asyncio.run(main()) == ("gray", None)


def test_uninstrument_puts_back_what_was_there():
    owners = [(concurrent.futures.ThreadPoolExecutor, "submit"), (threading.Thread, "start")]
    before = [getattr(owner, name) for owner, name in owners]
    for _ in range(2):
        instrument("threading")
    assert all(getattr(owner, name) is not one for (owner, name), one in zip(owners, before, strict=True))
    for _ in range(2):
        uninstrument("threading")
    assert [getattr(owner, name) for owner, name in owners] == before


def test_threads_are_instrumented_only_when_asked_for():
    try:
        assert "threading" not in instrument()
    finally:
        uninstrument()


def later(kind):
    """A pool of `multiprocessing` that carries while threading is instrumented, asked in one of its ways."""
    with multiprocessing.pool.ThreadPool(2) as pool:
        ways = {
            "apply": lambda: [pool.apply(get, ("env",))],
            "apply_async": lambda: [pool.apply_async(get, ("env",)).get()],
            "map": lambda: pool.map(get, ["env"] * 3),
            "map_async": lambda: pool.map_async(get, ["env"] * 3).get(),
            "starmap": lambda: pool.starmap(get, [("env",)]),
            "imap": lambda: list(pool.imap(get, ["env"] * 3)),
            "imap_unordered": lambda: list(pool.imap_unordered(get, ["env"] * 3, 2)),
        }
        found = []
        for lane in LANES:
            with use(env=lane):
                found.append(set(ways[kind]()))
        return found


@pytest.mark.usefixtures("threading_carries")
@pytest.mark.parametrize("kind", ["apply", "apply_async", "map", "map_async", "starmap", "imap", "imap_unordered"])
def test_a_thread_pool_of_multiprocessing(kind):
    assert later(kind) == [{lane} for lane in LANES]


@pytest.mark.usefixtures("threading_carries")
def test_its_callbacks_and_errors():
    said, done = [], threading.Semaphore(0)

    def note(result):
        said.append((get("env"), str(result)))
        done.release()

    pool: Any
    with multiprocessing.pool.ThreadPool(1) as pool, use(env="gray"):
        pool.apply_async(get, ("env",), callback=note, error_callback=None)
        pool.map_async(divmod, [1], error_callback=note)
        assert all(done.acquire(timeout=10) for _ in range(2))
        with pytest.raises(ZeroDivisionError):
            pool.apply(divmod, (1, 0))
    assert sorted(lane for lane, _ in said) == ["gray", "gray"]


def test_a_futures_callback_has_the_tag_of_whoever_added_it(pool_class):
    said: list[Any] = []
    go = threading.Event()
    with pool_class(1) as pool:
        future = pool.submit(go.wait)
        for lane in LANES:
            with use(env=lane):
                future.add_done_callback(lambda done: said.append(get("env")))
        go.set()
        future.result()
        with use(env="blue"):
            future.add_done_callback(lambda done: said.append((get("env"), done is future)))
    assert said[:-1] == LANES
    assert said[-1] == ("blue", True)
    assert get("env") is None


def test_threads_that_libraries_start_for_their_own_ends_do_not_keep_a_tag(threading_carries):
    seen = []
    thread = threading.Thread(target=lambda: seen.append(get("env")))
    vars(thread)["_target"] = make_target(seen, "sentry_sdk.worker")
    with use(env="gray"):
        run_in(thread)
    assert seen == [None]


def make_target(seen, module):
    def target():
        seen.append(get("env"))

    target.__module__ = module
    return target
