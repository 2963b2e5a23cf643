"""The promise of the lock, on machines whose clocks differ, with requests that are late, lost or sent again."""

from contextlib import suppress
from random import Random

import pytest
from fake_api import RefusedError
from faults import KINDS, Fault
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from own_thread import here_only
from runner_world import cluster
from two_machines import Machine, World, living_in
from urllib3.exceptions import HTTPError

from meshconfig.cluster import guarded, lock
from meshconfig.cluster.lease import DURATION, Holder, parse
from meshconfig.cluster.lock import Lock, LockLost
from meshconfig.errors import ApiError, ClusterError
from meshconfig.exchange import backoff

pytestmark = pytest.mark.slow

__all__ = ["cluster"]


def work(machine, *, after, writes, pause):
    """Waits, takes the Lease, also one that has expired, and writes until the Lease is lost."""

    def run():
        machine.world.sleep(after)
        for _ in range(4):
            with suppress(ClusterError, HTTPError), Lock(machine, "demo", "pets", break_lock=True, me=machine.me):
                for _ in range(writes):
                    machine.write()
                    machine.world.sleep(pause * machine.world.random.random())
                return
            machine.world.sleep(3)

    machine.world.start(machine, run)


def landed_in(monkeypatch, seed, *, guarded=True):
    """Two or three machines at one group; gives the writes that the server carried out."""
    random = Random(seed)
    world = World(random)
    for name in ("a", "b", "c")[: random.choice((2, 2, 3))]:
        begin = random.uniform(0, 30)
        away = ((begin, begin + random.choice((0, 8, 14, 20, 40))), (begin + 50, begin + 50 + random.uniform(0, 30)))
        machine = Machine(
            world, name, clock=random.uniform(0, 1e6), wall=random.choice((0, -3600, 3600, -14, 14)), away=away,
            slow=random.choice((0.0, 0.1, 3.0)), guarded=guarded,
        )  # fmt: skip
        work(machine, after=random.uniform(0, 40), writes=random.randint(1, 8), pause=random.choice((0.1, 4.0, 12.0)))
    with living_in(world, monkeypatch):
        world.run()
    return world.landed


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32))
def test_whatever_is_late_or_lost_nobody_writes_while_another_has_the_lease(monkeypatch, seed):
    for at, name, holder in landed_in(monkeypatch, seed):
        assert holder.partition("@")[0] == name, (
            f"a write of {name} landed at {at:.1f} s, when {holder or 'nobody'} had it"
        )


def test_without_the_check_before_each_attempt_that_happens(monkeypatch):
    """So the machines above do meet what the promise is about."""
    seeds = range(60)
    landed = [one for seed in seeds for one in landed_in(monkeypatch, seed, guarded=False)]
    assert [one for one in landed if one[2].partition("@")[0] != one[1]]


PETS = Holder("a@one/1/1/x", "one")


@pytest.fixture
def api(cluster, monkeypatch):
    monkeypatch.setattr(lock, "PAUSES", (0.0, 0.0, 0.0, 0.0))
    return cluster.api


def holder(api):
    return api.get("leases", "graylane-pets")["spec"]["holderIdentity"]


ROUTE = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "VirtualService",
    "metadata": {"name": "cat", "namespace": "demo"},
    "spec": {"hosts": ["cat"]},
}


def refuse(api, code, *, times, when):
    """The server refuses the first requests for which `when` holds."""
    left = [times]

    def hook(method, path):
        if left[0] and when(method, path):
            left[0] -= 1
            raise RefusedError(code, "Injected", "injected")

    api.before.append(hook)
    return left


@pytest.mark.parametrize("code", [401, 403, 409, 500, 503])
@pytest.mark.parametrize("times", [1, 3])
def test_the_lease_is_given_back_although_that_fails_at_first(cluster, api, code, times):
    told = []
    with Lock(cluster.client, "demo", "pets", tell=told.append, me=PETS):
        left = refuse(api, code, times=times, when=lambda method, path: method == "PUT" and "/leases/" in path)
    assert (holder(api), left, told) == ("", [0], [])


def test_a_lease_that_somebody_else_wrote_to_is_given_back_too(cluster, api):
    with Lock(cluster.client, "demo", "pets", me=PETS):
        one = api.get("leases", "graylane-pets")
        api.put({**one, "metadata": {**one["metadata"], "labels": {"seen": "yes"}}})
    assert holder(api) == ""


def test_what_is_left_is_told_with_the_command_that_mends_it(cluster, api):
    told = []
    with Lock(cluster.client, "demo", "pets", tell=told.append, me=PETS):
        refuse(api, 403, times=100, when=lambda method, path: method == "PUT" and "/leases/" in path)
    assert holder(api) == PETS.name
    (said,) = told
    assert "Lease demo/graylane-pets could not be given back (injected)" in said
    assert said.endswith("kubectl delete leases.coordination.k8s.io graylane-pets -n demo")
    api.before.clear()
    del api.objects["leases", "demo", "graylane-pets"]  # as that command does
    with Lock(cluster.client, "demo", "pets"):
        pass


@pytest.mark.parametrize("kind", [kind for kind, done in KINDS.items() if done and kind not in ("slow", "stale")])
@pytest.mark.parametrize("there", [False, True])
def test_a_lease_that_was_taken_though_its_answer_says_otherwise_is_given_back(cluster, api, kind, there, monkeypatch):
    for module in (lock.time, backoff):
        monkeypatch.setattr(module, "sleep", here_only(lambda seconds: None, module.sleep))
    if there:
        with Lock(cluster.client, "demo", "pets", me=Holder("b@two/1/1/y", "two")):
            pass
    told, left = [], [20]

    def fault(method, path):
        taking = method in ("PUT", "POST") and "/leases" in path and left[0]
        left[0] -= bool(taking)
        return Fault(kind) if taking else None

    api.fault = fault
    with suppress(ClusterError), Lock(cluster.client, "demo", "pets", tell=told.append, me=PETS):
        pass
    assert holder(api) == "" or [line for line in told if "kubectl delete leases" in line]
    api.fault = lambda method, path: None
    if not told:
        assert holder(api) == ""


def test_a_lease_whose_taking_failed_and_cannot_be_given_back_is_told(cluster, api):
    told = []
    api.fault = lambda method, path: Fault("500 after it was done") if "/leases" in path and method == "POST" else None
    refuse(api, 403, times=100, when=lambda method, path: method == "PUT" and "/leases/" in path)
    with pytest.raises(ApiError), Lock(cluster.client, "demo", "pets", tell=told.append, me=PETS):
        pytest.fail("it was not taken")
    assert holder(api) == PETS.name
    assert told[0].endswith("kubectl delete leases.coordination.k8s.io graylane-pets -n demo")


@pytest.mark.parametrize("other", [None, "b@two/1/1/y"])
def test_a_lease_that_is_another_s_by_now_is_left_alone(cluster, api, other):
    told = []
    with Lock(cluster.client, "demo", "pets", tell=told.append, me=PETS):
        one = api.get("leases", "graylane-pets")
        if other:
            api.put({**one, "spec": {**one["spec"], "holderIdentity": other}})
        else:
            del api.objects["leases", "demo", "graylane-pets"]
    assert told == []
    assert not other or holder(api) == other


def test_a_retry_is_not_sent_once_the_lease_is_another_s(cluster, api, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(lock, "_clock", lambda: clock[0])
    with Lock(cluster.client, "demo", "pets", me=PETS) as held:

        def robbed(method, path):
            if method == "PATCH":
                one = api.get("leases", "graylane-pets")
                api.put({**one, "spec": {**one["spec"], "holderIdentity": "b@two/1/1/y"}})
                clock[0] += lock.DEADLINE
                raise RefusedError(503, "Unavailable", "not now")

        api.before.append(robbed)
        with pytest.raises(LockLost, match="b@two, process 1 took it"):
            cluster.client.apply(ROUTE)
        api.before.clear()
        with pytest.raises(LockLost):
            cluster.client.apply(ROUTE)
        with pytest.raises(LockLost):
            held.check()
    assert sum(method == "PATCH" for method, _ in api.seen) == 0, "only the attempt that was refused was begun"
    cluster.client.apply(ROUTE)  # without the lock, it is a client as any other


def test_each_attempt_ends_before_the_lease_can_pass_on(cluster, api, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(lock, "_clock", lambda: clock[0])
    asked = []
    api.before.append(lambda method, path: asked.append(path) if method in ("PATCH", "DELETE", "POST") else None)
    with Lock(cluster.client, "demo", "pets", me=PETS):
        asked.clear()
        for passed in (0.0, 4.0, 5.9):
            clock[0] += passed
            cluster.client.apply(ROUTE)
        cluster.client.request("DELETE", "/apis/networking.istio.io/v1/namespaces/demo/virtualservices/cat")
        cluster.client.apply(ROUTE, dry_run=True)
        cluster.client.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {})
    limits = [path.partition("timeout=")[2] for path in asked]
    assert limits == ["13s", "9s", "3s", "3s", "", ""]
    assert DURATION - lock.DEADLINE >= guarded.LEAST


def test_a_session_has_guards_of_its_own(cluster, api):
    def lost():
        raise LockLost("lost")

    other = cluster.client.session()
    unguard = cluster.client.guard(lost)
    with pytest.raises(LockLost):
        cluster.client.apply(ROUTE)
    other.apply(ROUTE)
    cluster.client.session().apply(ROUTE)
    unguard()
    cluster.client.apply(ROUTE)
    assert other.calls == cluster.client.calls


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504, 409, 422])
def test_a_guarded_write_is_retried_as_any_other(cluster, api, code, monkeypatch):
    monkeypatch.setattr(backoff, "sleep", here_only(lambda seconds: None, backoff.sleep))
    checks = []
    cluster.client.guard(lambda: checks.append(1))
    left = refuse(api, code, times=2, when=lambda method, path: method == "PATCH")
    if code in (429, 502, 503, 504):
        cluster.client.apply(ROUTE)
        assert (len(checks), left) == (3, [0])
        return
    with pytest.raises(ApiError) as said:
        cluster.client.apply(ROUTE)
    assert said.value.status == code
    assert len(checks) == 1


def test_what_a_lock_protects():
    writes = ("/apis/networking.istio.io/v1/namespaces/demo/virtualservices/cat", "/api/v1/namespaces/demo/configmaps")
    assert all(
        guarded.is_guarded(method, where, "") for where in writes for method in ("POST", "PUT", "PATCH", "DELETE")
    )
    assert not guarded.is_guarded("GET", writes[0], "")
    assert not guarded.is_guarded("PATCH", writes[0], "fieldManager=graylane&dryRun=All")
    assert not guarded.is_guarded("PUT", "/apis/coordination.k8s.io/v1/namespaces/demo/leases/graylane-pets", "")


def test_the_record_of_a_lease_that_was_given_back_names_nobody(cluster, api):
    with Lock(cluster.client, "demo", "pets", me=PETS):
        pass
    assert parse(api.get("leases", "graylane-pets")).holder == ""
