"""gevent: in a process of its own, since its patches are for a whole process."""

import subprocess
import sys
import textwrap

import pytest

BEGIN = """
from gevent import monkey; monkey.patch_all()
import threading
import gevent, gevent.pool, gevent.threadpool
from gevent import Greenlet, spawn, spawn_later
import propagation
from propagation import detached, get, use
class Early(Greenlet):
    def _run(self):
        return get("env")
pool = gevent.pool.Pool(2)
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


def test_what_was_imported_or_made_before_instrument_carries_too():
    assert run(
        """
        with use(env="gray"):
            class Late(Early):
                pass
            made = [spawn(get, "env"), spawn_later(0, get, "env"), Greenlet(get, "env"), Early(), Late()]
            [one.start() for one in made[2:]]
            made += [pool.spawn(get, "env"), pool.apply_async(get, ("env",))]
            print(*[one.get() for one in made], pool.map(get, ["env"]), *pool.imap(get, ["env"]))
        """
    ) == ["gray " * 7 + "['gray'] gray"]


def test_a_context_that_the_program_gave_stays():
    assert run(
        """
        from contextvars import copy_context
        with use(env="prod"):
            given = copy_context()
        with use(env="gray"):
            made = gevent.Greenlet(get, "env")
            made.gr_context = given
            made.start()
            print(made.get(), gevent.spawn(threading.current_thread().is_alive).get())
        """
    ) == ["prod True"]


def test_a_server_that_a_tagged_request_starts_serves_nobodys_requests():
    assert run(
        """
        import http.client
        from gevent.pywsgi import WSGIServer
        def app(environ, start_response):
            start_response("200 OK", [])
            return [str(get("env")).encode()]
        with use(env="gray"):
            server = WSGIServer(("127.0.0.1", 0), app, log=None)
            server.start()
            connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
            connection.request("GET", "/")
            print(connection.getresponse().read().decode())
            connection.close()
        server.stop()
        """
    ) == ["None"]


def test_all_can_be_taken_back():
    assert run(
        """
        propagation.uninstrument()
        with use(env="gray"):
            native = gevent.threadpool.ThreadPool(1)
            print(gevent.spawn(get, "env").get(), pool.map(get, ["env"]), native.apply(get, ["env"]))
        """
    ) == ["None [None] None"]


@pytest.mark.slow
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
