"""gevent: in a process of its own, since its patches are for a whole process."""

import subprocess
import sys
import textwrap

BEGIN = """
from gevent import monkey; monkey.patch_all()
import threading
import gevent, gevent.pool, gevent.threadpool
import propagation
from propagation import detached, get, use
own = gevent.Greenlet
propagation.instrument("threading")
"""


def run(program):
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + textwrap.dedent(program)], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_greenlets_have_the_tag_of_whoever_spawned_them():
    assert run(
        """
        class Kind(gevent.Greenlet):
            def _run(self):
                return get("env")

        class Pair(Kind):
            pass

        pool, group, native = gevent.pool.Pool(2), gevent.pool.Group(), gevent.threadpool.ThreadPool(1)
        for lane in ("gray", None, "prod"):
            with use(env=lane):
                made = [
                    gevent.spawn(get, "env"), gevent.spawn_later(0, get, "env"), gevent.Greenlet.spawn(get, "env"),
                    pool.spawn(get, "env"), pool.apply_async(get, ("env",)), pool.map_async(get, ["env"]),
                    group.spawn(get, "env"), native.spawn(get, "env"), native.apply_async(get, ("env",)),
                ]
                made += [Kind(), Pair()]
                [one.start() for one in made[-2:]]
                inner = gevent.spawn(lambda: gevent.spawn(get, "env").get())
                later = pool.imap(get, ["env"]), pool.imap_unordered(get, ["env"]), pool.map(get, ["env", "env"])
            found = [one.get() for one in [*made, inner]] + [one for several in later for one in several]
            print(set(found[:5] + found[6:]), found[5])
        """
    ) == ["{'gray'} ['gray']", "{None} [None]", "{'prod'} ['prod']"]


def test_patched_threads_and_those_that_serve_many():
    assert run(
        """
        from concurrent.futures import ThreadPoolExecutor
        said = []
        with use(env="gray"):
            thread = threading.Thread(target=lambda: said.append(get("env")))
            thread.start()
        thread.join()
        with ThreadPoolExecutor(1) as pool:
            with use(env="gray"):
                said.append(pool.submit(get, "env").result())
            said.append(pool.submit(get, "env").result())
        with use(env="gray"), detached():
            said.append(gevent.spawn(get, "env").get())
        print(*said)
        """
    ) == ["gray gray None None"]


def test_what_a_greenlet_sets_is_its_own_and_switching_keeps_it():
    assert run(
        """
        def work(lane):
            with use(env=lane):
                gevent.sleep(0)
                first = get("env")
                gevent.sleep(0)
                return first == get("env") == lane
        lanes = [f"lane{number}" for number in range(20)]
        print(all(gevent.pool.Pool(5).map(work, lanes)), get("env"))
        """
    ) == ["True None"]


def test_gevents_own_class_is_still_what_its_greenlets_are_and_all_can_be_taken_back():
    assert run(
        """
        kinds = [gevent.spawn(int), own.spawn(int)]
        print([isinstance(one, gevent.Greenlet) and isinstance(one, own) for one in [*kinds, 1]])
        class Mine(gevent.Greenlet):
            pass
        print(isinstance(kinds[0], Mine), isinstance(Mine(), Mine), isinstance(Mine(), gevent.Greenlet))
        spawn = own.spawn
        propagation.uninstrument()
        print(gevent.Greenlet is own, gevent.pool.Greenlet is own, gevent.pool.Group.greenlet_class is own)
        with use(env="gray"):
            print(gevent.spawn(get, "env").get(), gevent.pool.Pool(1).map(get, ["env"]))
        """
    ) == ["[True, True, False]", "False True True", "True True True", "None [None]"]


def test_grequests_way_to_use_a_pool(server):
    """What grequests does: `Pool.spawn` of `requests.Session.request`, for each."""
    found = run(
        f"""
        import requests
        propagation.instrument("requests")
        def ask(number):
            with requests.Session() as session:
                session.trust_env = False
                return session.get("{server.url}/" + str(number)).status_code
        with use(env="gray"):
            jobs = [gevent.pool.Pool(2).spawn(ask, number) for number in range(3)]
        gevent.joinall(jobs)
        print([job.value for job in jobs])
        """
    )
    assert found == ["[200, 200, 200]"]
    assert [seen.ours.get("env") for seen in server.seen] == ["gray"] * 3
