"""Machines with clocks of their own and an API server that is slow or away, in time that passes only by being waited.

Of all threads one runs at a time: the world wakes the one whose time comes next. So a run depends on its seed alone.
"""

import heapq
import itertools
import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from stand_in import StandIn
from urllib3.exceptions import ConnectTimeoutError, ReadTimeoutError

from meshconfig.cluster import lease, lock
from meshconfig.cluster.guarded import send
from meshconfig.cluster.retries import PatientRetry
from meshconfig.errors import ApiError, Conflict, Unreachable
from meshconfig.exchange import backoff
from meshconfig.exchange.send import NoAnswerError

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HERE = threading.local()  # `machine`: the one on which this thread runs
POLL = 0.25  # seconds from one look to the next of who waits for another thread
CONNECT = 5.0


class World:
    """`landed`: (time, machine's name, holder of the Lease at that time) of each write that the server carried out."""

    def __init__(self, random):
        self.random, self.now, self.landed, self.errors = random, 0.0, [], []
        self.version, self.lease = 0, None
        self._queue, self._count, self._done = [], itertools.count(), threading.Event()

    def start(self, machine, work):
        go = threading.Semaphore(0)

        def body():
            HERE.machine = machine
            go.acquire()
            try:
                work()
            except BaseException as error:  # noqa: BLE001  the test shows it
                self.errors.append(error)
            finally:
                self._next()

        threading.Thread(target=body, daemon=True).start()
        heapq.heappush(self._queue, (self.now, next(self._count), go))

    def sleep(self, seconds):
        go = threading.Semaphore(0)
        heapq.heappush(self._queue, (self.now + max(0.0, seconds), next(self._count), go))
        self._next()
        go.acquire()

    def run(self):
        self._next()
        assert self._done.wait(60), "it does not come to an end"
        for error in self.errors:
            raise error

    def _next(self):
        if not self._queue:
            self._done.set()
            return
        self.now, _, go = heapq.heappop(self._queue)
        go.release()

    @property
    def holder(self):
        return lease.parse(self.lease).holder if self.lease else ""

    def put(self, method, body):
        """As an API server does: compare-and-swap."""
        if method == "PUT" and self.lease is None:
            raise ApiError(404, "NotFound", "not found")
        stale = self.lease and body["metadata"].get("resourceVersion") != self.lease["metadata"]["resourceVersion"]
        if (method == "POST") != (self.lease is None) or stale:
            raise Conflict(409, "Conflict", "the object has been modified")
        self.version += 1
        self.lease = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}
        return self.lease


class Machine(StandIn):  # in place of a Client
    """One machine's client.

    Parameters:
        clock, wall: seconds by which its clocks are ahead of the world's.
        away: (from, to) in the world's time: nothing gets through.
        slow: the most seconds that a request needs to the server, and an answer back.
        guarded: False for a client that does not check its writes, as if there were no guard.
    """

    def __init__(self, world, name, *, clock=0.0, wall=0.0, away=(), slow=0.1, guarded=True):
        self.world, self.name, self.clock, self.wall = world, name, clock, wall
        self.away, self.slow, self._guarded = away, slow, guarded
        self._checks: tuple = ()
        self.me = lease.Holder(f"{name}@{name}/1/1/x", name)

    def guard(self, check):
        self._checks = (check,)
        return lambda: setattr(self, "_checks", ())

    def get(self, where, query=None):
        return self._asked(lambda: self.world.lease)

    def request(self, method, where, body=None):
        """A request of the lock's, with the retries of a client."""
        sent = json.loads(json.dumps(body))
        return self._asked(lambda: self.world.put(method, sent))

    def _asked(self, act):
        for pause in (0.2, 1.0, 4.0, 8.0):
            if not self._is_away():
                self._travel()
                try:
                    answer = act()
                finally:
                    self._travel()
                if not self._is_away():  # else the answer is lost
                    return answer
            else:
                self.world.sleep(CONNECT)
            self.world.sleep(pause)
        raise Unreachable("no answer")

    def write(self):
        """A write of routes, by the product's own loop, to a server that keeps to `timeout` in the URL."""
        pool = cast(Any, SimpleNamespace(request=self._attempt))
        checks, answered = self._checks if self._guarded else (), threading.Event()
        answered.set()
        try:
            return send(pool, "PATCH", "http://api/routes", {}, "x", checks, PatientRetry(answered))
        except NoAnswerError as error:
            raise Unreachable(str(error)) from None

    def _attempt(self, method, url, **settings):
        timeout = parse_qs(urlsplit(url).query).get("timeout", ["60s"])[0]
        given = float(timeout.removesuffix("s"))
        if self._is_away():
            self.world.sleep(min(CONNECT, given))
            raise ConnectTimeoutError(None, "cannot connect")
        if self.world.random.random() < 0.2:
            self._travel()
            return _answer(503)
        self.world.sleep(2.0 * self.world.random.random())
        needs = self.world.random.choice((0.1, 1.0, 5.0, 20.0)) * self.world.random.random()
        self.world.sleep(min(needs, given))
        if needs >= given:
            raise ReadTimeoutError(None, url, "no answer in time")
        self.world.landed.append((self.world.now, self.name, self.world.holder))
        self._travel()
        if self._is_away():
            raise ReadTimeoutError(None, url, "the answer is lost")
        return _answer(200)

    def _travel(self):
        self.world.sleep(self.slow * self.world.random.random())

    def _is_away(self):
        return any(begin <= self.world.now < end for begin, end in self.away)


def _answer(status):
    nothing: Any = lambda *given, **more: None  # noqa: E731
    return SimpleNamespace(status=status, headers={}, read=nothing, release_conn=nothing, close=nothing)


@contextmanager
def living_in(world, monkeypatch):
    """The lock's clocks and threads are those of the world, for the time of the block."""

    def machine():
        machine: Machine = HERE.machine
        return machine

    def clock():
        return world.now + machine().clock

    def wall():
        return BEGIN + timedelta(seconds=world.now + machine().wall)

    def on_machine(changed, real):
        """Threads that are none of the world's, as earlier tests leave them, go on with the real thing."""
        return lambda *given: (changed if hasattr(HERE, "machine") else real)(*given)

    class Event:
        def __init__(self):
            self._set = False

        def set(self):
            self._set = True

        def wait(self, timeout):
            end = world.now + timeout
            while not self._set and world.now < end:
                world.sleep(min(POLL, end - world.now))
            return self._set

    class Lock:
        def __init__(self):
            self._taken = False

        def __enter__(self):
            while self._taken:
                world.sleep(POLL)
            self._taken = True

        def __exit__(self, *error):
            self._taken = False

    class Thread:
        def __init__(self, target, **more):
            self._target, self._ended = target, False

        def start(self):
            world.start(machine(), self._work)

        def _work(self):
            try:
                self._target()
            finally:
                self._ended = True

        def join(self, timeout):
            end = world.now + timeout
            while not self._ended and world.now < end:
                world.sleep(POLL)

    with monkeypatch.context() as patched:
        patched.setattr(lock, "threading", SimpleNamespace(Event=Event, Lock=Lock, Thread=Thread))
        patched.setattr(lock, "time", SimpleNamespace(sleep=on_machine(world.sleep, lock.time.sleep)))
        patched.setattr(lock, "now", on_machine(wall, lock.now))
        patched.setattr(backoff, "sleep", on_machine(world.sleep, backoff.sleep))
        for module, name in ((lock, "_clock"), (backoff, "clock")):
            patched.setattr(module, name, on_machine(clock, getattr(module, name)))
        yield
