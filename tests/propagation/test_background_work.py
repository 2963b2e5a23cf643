"""Work that outlives its request: started by `detached`, in processes that are forked, by schedulers and by queues."""

import asyncio
import subprocess
import sys
import textwrap
import threading
import time

import aiojobs
import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.schedulers.background import BackgroundScheduler
from asgi_answer import run_app
from opentelemetry import baggage
from opentelemetry.context import Context, attach, detach, get_current

from propagation import ASGIMiddleware, PropagationConfig, detached, extract, get, inject, instrument, uninstrument, use
from propagation.context import trail_of

NOTHING = (None, {})


@pytest.fixture
def _instrumented():
    instrument("apscheduler", "aiojobs")
    yield
    uninstrument()


def seen():
    return get("env"), inject({})


def test_in_a_detached_block_there_is_no_request():
    with use(extract({"env": "gray", "baggage": "user=alice"})) as around:
        with detached() as context:
            assert seen() == NOTHING
            assert baggage.get_all() == {}
            assert get_current() is context
        assert get_current() is around


def test_what_others_keep_in_the_context_stays():
    token = attach(Context({**get_current(), "a span": 1}))
    with use(env="gray"), detached():
        assert get_current() == {"a span": 1}
    detach(token)


def test_origin_holds_as_for_all_work_that_no_request_started(environment):
    environment(origin="env=gray")
    with use(env="prod"), detached():
        assert seen() == ("gray", {"env": "gray", "baggage": "env=gray"})


def test_local_fields_do_not_go_along():
    config = PropagationConfig(local_fields=("user",))
    with use(extract({"env": "gray"}, config=config)), use(user="alice"), detached():
        assert get("user") is None


def test_detached_work_has_tags_of_its_own():
    with use(env="gray"), detached(), use(env="prod"):
        assert get("env") == "prod"


def test_detached_decorates_functions_and_coroutines():
    @detached()
    def work(*args, **kwargs):
        return seen(), args, kwargs

    @detached()
    async def later(*args):
        await asyncio.sleep(0)
        return seen(), args

    async def main():
        with use(env="gray"):
            return await later(1), await asyncio.create_task(later(2)), get("env")

    with use(env="gray"):
        assert work(1, a=2) == (NOTHING, (1,), {"a": 2})
    assert asyncio.run(main()) == ((NOTHING, (1,)), (NOTHING, (2,)), "gray")


def test_detached_decorates_no_generator():
    with pytest.raises(TypeError, match=r"^detached: .*steps is a generator"):

        @detached()
        def steps():
            yield


def test_tasks_threads_and_timers_that_begin_detached_stay_so():
    async def main():
        said = []
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def say():
            said.append(seen())
            done.set()

        with use(env="gray"):
            with detached():
                task = asyncio.create_task(worker())
                loop.call_later(0, say)
            await done.wait()
            return await task, *said, await asyncio.to_thread(get, "env")

    async def worker():
        await asyncio.sleep(0)
        return seen()

    assert asyncio.run(main()) == (NOTHING, NOTHING, "gray")


def test_a_thread_that_begins_detached_where_threads_carry():
    said = []
    instrument("threading")
    try:
        with use(env="gray"), detached():
            thread = threading.Thread(target=lambda: said.append(seen()))
            thread.start()
        thread.join()
    finally:
        uninstrument()
    assert said == [NOTHING]


def test_a_queues_worker_does_each_item_as_whoever_put_it():
    """The recipe of docs/background-work.md."""

    async def main():
        said, queue, workers = [], asyncio.Queue(), []

        async def work():
            while True:
                context, item = await queue.get()
                with use(context):
                    said.append((item, get("env")))
                queue.task_done()

        async def request(lane):
            with use(env=lane):
                if not workers:
                    with detached():
                        workers.append(asyncio.create_task(work()))
                await queue.put((get_current(), lane))

        for lane in ("gray", "prod", None, "gray"):
            await asyncio.create_task(request(lane))
        await queue.join()
        workers[0].cancel()
        return said

    assert asyncio.run(main()) == [(lane, lane) for lane in ("gray", "prod", None, "gray")]


def run(program):
    """What a program prints. In a process of its own: forking one with the threads of other tests may hang."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


FORKS = """
    import multiprocessing, os, sys
    from concurrent.futures import ProcessPoolExecutor
    from opentelemetry import baggage
    from propagation import get, inject, use
    fork = multiprocessing.get_context("fork")
    def job(*args):
        return get("env"), inject({}), dict(baggage.get_all())
"""


def test_pools_of_processes_that_a_tagged_request_forks_start_clean():
    assert run(
        FORKS
        + """
    with ProcessPoolExecutor(1, mp_context=fork) as pool:
        for lane in ("gray", None, "prod"):
            with use(env=lane):
                print(*pool.submit(job).result())
    with use(env="gray"):
        pool = fork.Pool(1)
    with pool:
        print(*pool.apply(job), pool.map(job, [1]) == [(None, {}, {})])
        with use(env="gray"):
            print(*pool.apply(job))
    """
    ) == ["None {} {}"] * 3 + ["None {} {} True", "None {} {}"]


def test_so_do_processes_that_are_forked_by_hand_whatever_they_end_with():
    assert run(
        FORKS
        + """
    with use(env="gray"):
        with use(env="prod"):
            if os.fork() == 0:
                print(*job(), flush=True)
                with use(env="blue"):
                    print(get("env"), flush=True)
                sys.exit()
            os.wait()
            print(get("env"))
        print(get("env"))
    """
    ) == ["None {} {}", "blue", "prod", "gray"]


def test_origin_holds_in_a_forked_process():
    assert run(
        """
    import os; os.environ["PROPAGATION_ORIGIN"] = "env=nightly"
    """
        + FORKS
        + """
    with use(env="gray"), fork.Pool(1) as pool:
        print(pool.apply(get, ("env",)))
    """
    ) == ["nightly"]


@pytest.mark.usefixtures("_instrumented")
def test_the_jobs_of_apscheduler_are_nobodys_request():
    async def main():
        said, enough = [], asyncio.Event()
        scheduler = AsyncIOScheduler()

        async def nightly():
            said.append(seen())
            if len(said) > 6:
                enough.set()

        async def request():
            with use(env="gray"):
                scheduler.add_job(nightly, "interval", seconds=500)
                scheduler.add_job(nightly)  # at once
                assert get("env") == "gray"

        scheduler.add_job(nightly, "interval", seconds=0.01)
        scheduler.start()
        await asyncio.sleep(0.03)
        await asyncio.create_task(request())
        await asyncio.wait_for(enough.wait(), 10)
        scheduler.shutdown()
        return said

    assert set(map(repr, asyncio.run(main()))) == {repr(NOTHING)}


@pytest.mark.usefixtures("_instrumented")
def test_a_scheduler_that_a_tagged_request_starts_in_a_thread():
    said, done = [], threading.Event()

    def say():
        said.append(seen())
        done.set()

    instrument("threading")
    scheduler = BackgroundScheduler()
    with use(env="gray"):
        scheduler.add_job(say)
        scheduler.start()
    assert done.wait(10)
    while scheduler.get_jobs():  # a shutdown while it takes the job out ends its thread with an error
        time.sleep(0.01)
    scheduler.shutdown()
    assert said == [NOTHING]


@pytest.mark.usefixtures("_instrumented")
@pytest.mark.parametrize("limit", [1, 2, None])
def test_a_job_of_aiojobs_runs_as_the_request_that_spawned_it(limit):
    lanes = ["gray", "prod", None, "gray", None, "prod"]

    async def main():
        said = []
        scheduler = aiojobs.Scheduler(limit=limit)

        async def job(lane):
            await asyncio.sleep(0.001)
            said.append((lane, get("env")))

        async def request(lane):
            with use(env=lane):
                await scheduler.spawn(job(lane))

        await asyncio.gather(*map(request, lanes))
        await scheduler.wait_and_close(10)
        return said

    said = asyncio.run(main())
    assert len(said) == len(lanes)
    assert [lane for lane, _ in said] == [lane for _, lane in said]


def test_uninstrument_gives_the_schedulers_back():
    from aiojobs._job import Job

    owners = [(BackgroundScheduler, "_process_jobs"), (Job, "__init__"), (Job, "_start")]
    before = [getattr(owner, name) for owner, name in owners]
    instrument("apscheduler", "aiojobs")
    uninstrument()
    assert [getattr(owner, name) for owner, name in owners] == before


def test_the_calls_of_detached_work_are_not_on_the_requests_trail():
    async def app(scope, receive, send):
        assert trail_of(get_current()) is not None
        with detached():
            assert trail_of(get_current()) is None
            assert await asyncio.create_task(later()) is None

    async def later():
        return trail_of(get_current())

    scope = {"type": "http", "headers": [(b"env", b"gray")]}
    run_app(ASGIMiddleware(app, PropagationConfig(trail=True))(scope, None, None))
