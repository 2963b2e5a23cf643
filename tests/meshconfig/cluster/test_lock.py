"""Who may take a Lease: the judging, the processes of this machine, and a life against an API server made of values."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from own_thread import here_only
from stand_in import StandIn

from meshconfig.cluster import lease, lock
from meshconfig.cluster.lease import Holder, Record, Standing, judge, machine, manifest, myself, parse, running
from meshconfig.cluster.lock import Lock, LockHeld, LockLost
from meshconfig.errors import ApiError, Conflict, Unreachable

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = lease.lease_key("demo", "pets")

holders = st.builds(
    "{}@{}/{}/{}/{}".format, *[st.sampled_from("ab")] * 2, st.integers(1, 9), *[st.sampled_from("xy")] * 2
)
machines = st.sampled_from(["", "here", "there"])
ages = st.floats(-100, 100).map(lambda seconds: NOW - timedelta(seconds=seconds))
records = st.builds(Record, holders, machines, ages, st.none() | ages, st.integers(1, 60), st.integers(0, 5))


def test_a_free_lease_is_free():
    me = myself()
    assert judge(None, NOW, me, running) is judge(Record(), NOW, me, running) is Standing.FREE


@given(records, st.builds(Holder, holders, machines), st.booleans())
def test_only_what_nobody_can_be_at_is_taken_at_once(record, me, alive):
    standing = judge(record, NOW, me, lambda pid, start: alive)
    if standing is Standing.DEAD:
        assert record.machine == me.machine != ""
        assert not alive
    if record.holder == me.name:
        assert standing is Standing.MINE
    elif alive or record.machine != me.machine:
        late = record.renewed is None or NOW - record.renewed >= timedelta(seconds=record.duration)
        assert standing is (Standing.EXPIRED if late else Standing.HELD)


@given(records, st.builds(Holder, holders, machines), st.integers(0, 1000))
def test_a_lease_that_is_not_renewed_never_comes_back_to_life(record, me, later):
    order = [Standing.HELD, Standing.EXPIRED]
    standings = [judge(record, NOW + timedelta(seconds=passed), me, lambda *_: True) for passed in (0, later)]
    if standings[0] in order:
        assert order.index(standings[1]) >= order.index(standings[0])


@given(records, st.text("0123456789", min_size=1))
def test_a_record_survives_the_api_server(record, version):
    written = manifest(KEY, "pets", record, version)
    assert parse(json.loads(json.dumps(written))) == record
    assert written["metadata"]["resourceVersion"] == version


ODD = {
    "no time": ("renewTime", "soon"),
    "a time that is a number": ("renewTime", 5),
    "a time beyond the calendar": ("renewTime", "9999-12-31T23:59:59-10:00"),
    "a duration that is a text": ("leaseDurationSeconds", "15"),
    "a duration that is none": ("leaseDurationSeconds", -1),
    "a duration of ages": ("leaseDurationSeconds", 10**300),
    "a process of too many digits": ("holderIdentity", f"a@b/{'9' * 5000}/1/x"),
}


@pytest.mark.parametrize("name", ODD)
def test_a_lease_with_anything_in_it_is_judged(name):
    """It counts as not given: a Lease without a time was never renewed, and one without a duration has ours."""
    field, value = ODD[name]
    lease_now = manifest(
        KEY, "pets", replace(OTHER, machine=machine() if field == "holderIdentity" else "elsewhere"), "7"
    )
    lease_now["spec"][field] = value
    record = parse(lease_now)
    assert record.duration == lease.DURATION
    assert judge(record, NOW, myself(), running) is (Standing.EXPIRED if field == "renewTime" else Standing.HELD)


def test_this_process_runs_and_one_that_was_killed_does_not_even_before_it_is_reaped():
    pid, start = Record(holder=myself().name).id
    assert pid == os.getpid()
    assert running(pid, start)
    assert not running(pid, start + "0"), "another process had this id before"
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = lease.started(child.pid)
    assert running(child.pid, start)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not running(child.pid, start)
    child.communicate()
    assert not running(child.pid, start)


def test_a_process_that_is_hidden_may_run(monkeypatch):
    def refuse(pid, signal):
        raise PermissionError

    monkeypatch.setattr(lease, "_stat", lambda pid: None)
    monkeypatch.setattr(os, "kill", refuse)
    assert running(1, "7")


class Server(StandIn):  # in place of a Client
    """One Lease as an API server keeps it: compare-and-swap on a version."""

    def __init__(self, record=None):
        self.version, self.lease, self.down = 1, None, False
        if record:
            self.write(record)

    def write(self, record):
        self.lease = manifest(KEY, "pets", record, str(self.version))

    @property
    def record(self):
        return parse(self.lease)

    def get(self, where, query=None):
        if self.down:
            raise Unreachable("no answer")
        assert where == "/apis/coordination.k8s.io/v1/namespaces/demo/leases/graylane-pets"
        return self.lease

    def request(self, method, where, body=None):
        if self.down:
            raise Unreachable("no answer")
        sent = json.loads(json.dumps(body))
        if method == "PUT" and self.lease is None:
            raise ApiError(404, "NotFound", "not found")
        if (method == "POST") != (self.lease is None):
            raise Conflict(409, "AlreadyExists", "there is one")
        if self.lease and sent["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise Conflict(409, "Conflict", "changed")
        self.version += 1
        self.lease = {**sent, "metadata": {**sent["metadata"], "resourceVersion": str(self.version)}}
        return self.lease

    def guard(self, check):
        return lambda: None

    def touch(self):
        """Somebody edits a label."""
        self.version += 1
        self.lease["metadata"]["resourceVersion"] = str(self.version)


@pytest.fixture
def clock(monkeypatch):
    """Seconds pass by being slept only."""

    class Clock:
        seconds = 0.0

        def sleep(self, seconds):
            self.seconds += seconds

    found = Clock()
    monkeypatch.setattr(lock, "_clock", lambda: found.seconds)
    monkeypatch.setattr(lock.time, "sleep", here_only(found.sleep, lock.time.sleep))
    monkeypatch.setattr(lock, "now", lambda: NOW + timedelta(seconds=found.seconds))
    return found


OTHER = Record("eve@elsewhere/12/34/ab", "elsewhere", NOW - timedelta(minutes=5), NOW, 15, 3)


def expired(seconds):
    return replace(OTHER, renewed=NOW - timedelta(seconds=15 + seconds))


def test_it_is_held_until_the_end_and_then_free(clock):
    server = Server()
    with Lock(server, "demo", "pets") as held:
        held.check()
        assert server.record.holder == held.me.name
        with pytest.raises(
            LockHeld, match=rf"process {os.getpid()} has held the lease graylane-pets since 03:04:05 UTC"
        ):
            Lock(server, "demo", "pets").__enter__()
    assert server.record.holder == ""
    with pytest.raises(LockLost, match="given back"):
        held.check()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_it_is_free_after_an_error_too(clock, error):
    server = Server()
    with pytest.raises(error), Lock(server, "demo", "pets"):
        raise error
    assert server.record.holder == ""


def test_the_refusal_says_who_and_what_to_do(clock):
    with pytest.raises(LockHeld) as said:
        Lock(Server(OTHER), "demo", "pets").__enter__()
    assert str(said.value) == (
        "eve@elsewhere, process 12 has held the lease graylane-pets since 02:59:05 UTC and renews it: "
        "it would expire in 15 s; wait until it ends"
    )
    with pytest.raises(LockHeld, match=r"expired 7 s ago: make sure that nobody is at it, then --break-lock takes it"):
        Lock(Server(expired(7)), "demo", "pets").__enter__()


def test_what_lives_is_not_broken(clock):
    server = Server(OTHER)
    with pytest.raises(LockHeld, match="would expire in 15 s; not expired, so --break-lock is refused"):
        Lock(server, "demo", "pets", break_lock=True).__enter__()
    assert server.record == OTHER


def test_what_expired_is_watched_for_its_duration_and_then_taken(clock):
    server, told = Server(expired(7)), []
    with Lock(server, "demo", "pets", break_lock=True, tell=told.append) as held:
        assert server.record.holder == held.me.name
        assert server.record.transitions == 4
    assert clock.seconds >= 15
    assert told == ["watching the lease of eve@elsewhere, process 12 for 15 s"]


@pytest.mark.parametrize("off", [-3600, 3600])
def test_a_holder_whose_clock_is_wrong_is_seen_to_live(clock, monkeypatch, off):
    server = Server(replace(OTHER, renewed=NOW + timedelta(seconds=off)))

    def slept(seconds):
        clock.seconds += seconds
        if clock.seconds >= 5:
            server.write(replace(OTHER, renewed=NOW + timedelta(seconds=off + clock.seconds)))

    monkeypatch.setattr(lock.time, "sleep", here_only(slept, lock.time.sleep))
    with pytest.raises(LockHeld, match="renewed it while it was watched"):
        Lock(server, "demo", "pets", break_lock=True).__enter__()
    assert server.record.holder == OTHER.holder


def test_a_holder_whose_clock_is_ahead_and_who_is_gone_can_be_broken(clock):
    ahead = replace(OTHER, renewed=NOW + timedelta(hours=1))
    with pytest.raises(LockHeld, match="its clock is 3600 s ahead of this machine's: wait, or --break-lock"):
        Lock(Server(ahead), "demo", "pets").__enter__()
    with Lock(Server(ahead), "demo", "pets", break_lock=True) as held:
        held.check()


def test_a_process_of_this_machine_that_died_is_succeeded_at_once(clock):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    server = Server(replace(OTHER, holder=f"me@here/{child.pid}/1/ab", machine=machine()))
    with Lock(server, "demo", "pets") as held:
        held.check()
    assert clock.seconds == 0


def test_who_was_robbed_stops(clock):
    server = Server()
    with Lock(server, "demo", "pets") as held:
        server.write(OTHER)
        server.touch()
        clock.sleep(lock.DEADLINE)
        for _ in range(2):
            with pytest.raises(LockLost, match="eve@elsewhere, process 12 took it at 02:59:05 UTC"):
                held.check()
    assert server.record == OTHER, "and leaves the other's alone"


def test_a_lease_that_was_deleted_is_lost(clock):
    server = Server()
    with Lock(server, "demo", "pets") as held:
        server.lease = None
        clock.sleep(lock.DEADLINE)
        with pytest.raises(LockLost, match="somebody cleared it"):
            held.check()
    assert server.lease is None


def test_nothing_is_begun_while_the_api_server_is_away_and_it_goes_on_where_nobody_took_it(clock):
    server = Server()
    with Lock(server, "demo", "pets") as held:
        server.down = True
        clock.sleep(lock.DEADLINE - 1)
        held.check()
        clock.sleep(1)
        with pytest.raises(LockLost, match=re.escape("could not be renewed (no answer)")):
            held.check()
        server.down = False
        server.touch()
        held.check()
        assert server.record.renewed == NOW + timedelta(seconds=lock.DEADLINE)


def test_deadlines_leave_time_for_what_is_under_way():
    assert lock.RENEW < lock.DEADLINE < lease.DURATION
