"""Rollouts of two services at once, by the real command and a real controller, while requests come in at more than a
hundred a second: with people in the way, with bad versions, with a Prometheus that sees the Envoys or sees nothing, and
with a controller that is killed again and again. No request fails that the bad version did not fail itself, none is
answered half by the old and half by the new, and in the end the cluster has what `render` prints."""

import random
from dataclasses import replace
from typing import Any

import load
import pytest
from load_mesh import apply
from mesh_cluster import ROLLOUTS, forget, gateway_address, kubectl, own_kinds, until
from prometheus_server import open_stats, prometheus
from rollout_command import told
from rollout_cost import cost
from rollout_mesh import NAMESPACE, State, group, rollout, surroundings
from rollout_stage import emptied, pods, prepared, replicas
from soak import SOAK

pytestmark = pytest.mark.cluster

V2, V3, BOTH = State(("v2",)), State(("v3",)), State(("v2", "v3"))
V2_TOO, V3_TOO = replace(V2, untagged=("v1", "v2")), replace(V3, untagged=("v1", "v3"))
DONE = State(("v2",), untagged=("v2",), prod="v2")
ENTRANCE = "istio-system"
WEIGHT, FAIL_RATE, BY_ITSELF = 20, 5, "failed, as --fail-rate asks"
SEED, KILLS, LATEST = 35, 10 if SOAK else 4, 1.5
ENTRIES = 16  # of the log, from start to end
GIVES_NOTHING = {"name": "orders", "query": 'sum(orders_total{version="{{version}}"})', "min": 1, "every": "1s"}


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    """The namespace, the gateway's address, and a Prometheus that sees the Envoys of both."""
    own_kinds()
    forget(ROLLOUTS, NAMESPACE)  # else the namespace waits for a controller
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")  # an earlier run's takes a while to end
    gateway = open_stats(ENTRANCE, gateway=True)
    apply([*surroundings(), open_stats(NAMESPACE), gateway])
    with prometheus((NAMESPACE, ENTRANCE), tmp_path_factory.mktemp("prometheus")) as server:
        yield gateway_address(), server
    kubectl("delete", "envoyfilter", gateway["metadata"]["name"], "-n", ENTRANCE)
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture
def scene(mesh, tmp_path):
    """Makes the scene; what each rollout of it went through is printed where a test fails."""
    gateway, server = mesh
    return lambda begun, sizes, **more: prepared(tmp_path, gateway, server, begun, sizes, **more)


def metrics(server, *more):
    preset = {"every": "2s", "failures": 2, "interval": "10s"}
    success = {"name": "success", "preset": "envoy-success", "min": 0.99, **preset}
    p99 = {"name": "p99", "preset": "envoy-p99", "max": 60, **preset}  # a busy machine is slow, but not that slow
    return {"prometheus": server.url, "metrics": [success, p99, *more]}


def log(status, what="action"):
    return [one[what] for one in status["log"]]


def test_two_services_move_by_steps_with_people_in_the_way(scene):
    here = scene(V2, {"v1": 2, "v2": 1})
    steps: list[Any] = [
        {"weight": 10, "replicas": "100%"},
        {"pause": {}},
        {"analysis": {"for": "10s"}},
        {"weight": 50, "replicas": "100%", "pause": {"for": "3s"}},
        {"weight": 100},
    ]
    plan = rollout("pets-v2", "v2", steps, analysis=metrics(here.prometheus), keepOld="3s")
    with here.traffic("a rollout of two services"), here.controller:
        moved(here, plan)
    here.intact()
    here.is_as(group(("v2",), prod="v2", gone=("v1",)), pods({"v2": 2}))


def moved(here, plan):
    with here.story.change("10 % to v2, with as many Pods", V2_TOO):
        here.person.start(plan, note="as planned")
        here.person.sees("pets-v2", "awaiting approval")
    assert replicas() == pods({"v1": 2, "v2": 2})
    assert 0.02 < here.share("v2") < 0.25
    with here.story.change("approved: measured, 50 %", V2_TOO):
        here.person.decide("approve", "pets-v2", "looks well")
        status = here.person.waits("pets-v2", lambda one: one["step"] >= 4 or one["weights"]["cat"]["v2"] == 50, "50 %")
    assert log(status).index("approve") < log(status).index("analysis passed")
    with here.story.change("100 %, taken over, v1 kept and retired", DONE):
        status = here.person.sees("pets-v2", "Succeeded")
    print(told(status))
    approved = next(one for one in status["log"] if one["action"] == "approve")
    assert (approved["who"], approved["why"]) == ("eva", "looks well")


def test_a_bad_version_is_stopped_by_what_prometheus_saw(scene):
    here = scene(V3, {"v1": 2, "v3": 1}, fail_rate=FAIL_RATE)
    steps: list[Any] = [{"weight": WEIGHT}, {"analysis": {"for": "60s"}}, {"weight": 100}]
    plan = rollout("pets-v3", "v3", steps, analysis=metrics(here.prometheus))
    with here.traffic("a bad version"), here.controller:
        with here.story.change(f"{WEIGHT} % to v3", V3_TOO):
            here.person.start(plan)
            here.person.sees("pets-v3", "measuring")
        with here.story.change("measured, and back", V3):
            status = here.person.sees("pets-v3", "RolledBack")
        with here.story.change("as before", V3):
            here.more()
    print(told(status))
    assert "success/cat" in status["why"]
    here.intact(but=BY_ITSELF)
    found = cost(load.read(here.story.out), "v3", status)
    print(found.told(WEIGHT, FAIL_RATE))
    assert found.within(WEIGHT, FAIL_RATE)
    here.is_as_before()


def test_abort_brings_all_back_from_wherever_it_is(scene):
    here = scene(V2, {"v1": 2, "v2": 1, "v3": 1})
    with here.traffic("aborted"), here.controller:
        without_data(here)
        while_paused(here)
        while_pods_do_not_come_up(here)
    here.intact()


def without_data(here):
    steps: list[Any] = [{"weight": 20}, {"analysis": {"for": "60s"}}, {"weight": 100}]
    with here.story.change("20 % to v2, measured", V2_TOO):
        here.person.start(rollout("no-data", "v2", steps, analysis=metrics(here.prometheus, GIVES_NOTHING)))
        status = here.person.sees("no-data", "no data to judge by")
    assert (status["phase"], status["weights"]["cat"]) == ("Paused", {"v1": 80, "v2": 20})
    assert "orders/cat: the query gives nothing" in status["why"]
    aborted(here, "no-data")


def while_paused(here):
    with here.story.change("50 % to v2, v1 shrinks, paused", V2_TOO):
        here.person.start(rollout("paused", "v2", [{"weight": 50, "replicas": "100%"}, {"pause": {}}, {"weight": 100}]))
        here.person.sees("paused", "awaiting approval")
    assert replicas() == pods({"v1": 1, "v2": 2, "v3": 1})
    aborted(here, "paused")


def while_pods_do_not_come_up(here):
    here.sizes = {**here.sizes, "v3": 0}
    with here.story.change("v3's Pods do not come up", V2):
        emptied("v3", "nobody-knows-it")
        here.person.start(rollout("no-pods", "v3", [{"weight": 50}, {"weight": 100}]))
        until(lambda: replicas() == pods({"v1": 2, "v2": 1, "v3": 1}), "the new version is scaled")
    assert here.person.sees("no-pods", "scaling up the new version")["phase"] == "Progressing"
    aborted(here, "no-pods")


def aborted(here, name):
    with here.story.change("aborted", V2):
        here.person.decide("abort", name, "not today")
        status = here.person.sees(name, "Aborted")
    assert log(status)[-3:] == ["abort", "weight 0", "pods ready"]
    with here.story.change("as before", V2):
        here.is_as_before()
        here.more()


def test_a_controller_that_is_killed_again_and_again_loses_nothing(scene):
    here = scene(V2, {"v1": 2, "v2": 1})
    steps: list[Any] = [
        {"weight": 10, "replicas": "100%"},
        {"weight": 30, "pause": {"for": "3s"}},
        {"analysis": {"for": "4s"}},
        {"weight": 60, "replicas": "100%"},
        {"weight": 100},
    ]
    plan = rollout("pets-v2", "v2", steps, analysis=metrics(here.prometheus), keepOld="3s")
    with here.traffic(f"a controller killed {KILLS} times"), here.controller:
        with here.story.change("all of it", DONE):
            here.person.start(plan)
            status = killed_on_the_way(here)
        with here.story.change("as after", DONE):
            here.more()
    print(told(status))
    here.intact()
    here.is_as(group(("v2",), prod="v2", gone=("v1",)), pods({"v2": 2}))


def killed_on_the_way(here):
    """At moments all over the way, told by the entries in the log, and a little later; each time another one begins."""
    chance = random.Random(SEED)
    moments = sorted(chance.sample(range(1, ENTRIES), KILLS))
    for status in here.person.watches("pets-v2"):
        while moments and len(status["log"]) >= moments[0]:
            moments.pop(0)
            print(f"    kill -9 after: {here.controller.killed(chance.uniform(0, LATEST))}", flush=True)
            here.controller.begin()
    assert (moments, status["phase"]) == ([], "Succeeded")
    return status


def test_another_rollout_supersedes_it_half_way(scene):
    here = scene(BOTH, {"v1": 2, "v2": 1, "v3": 1})
    first = rollout("pets-v2", "v2", [{"weight": 20}, {"pause": {}}, {"weight": 100}])
    second = rollout("pets-v3", "v3", [{"weight": 30, "pause": {"for": "2s"}}, {"weight": 100}])
    with here.traffic("superseded"), here.controller:
        with here.story.change("20 % to v2", replace(BOTH, untagged=("v1", "v2"))):
            here.person.start(first)
            here.person.sees("pets-v2", "awaiting approval")
        # The second may be under way before it is seen that the first has ended.
        with here.story.change("superseded: back to v1", replace(BOTH, untagged=("v1", "v3"))):
            here.person.start(second)
            before = here.person.sees("pets-v2", "Aborted")
        with here.story.change("100 % to v3", replace(BOTH, untagged=("v3",), prod="v3")):
            after = here.person.sees("pets-v3", "Succeeded")
    print(told(before), told(after), sep="\n")
    here.intact()
    assert any(entry["action"] == "supersede" and "pets-v3" in entry["why"] for entry in before["log"])
    assert log(before, "stage")[-3:] == ["moving requests back", "scaling back", "aborted"]
    assert log(before, "at")[-1] < next(one["at"] for one in after["log"] if one["stage"] == "moving requests")
    here.is_as(group(("v2", "v3"), prod="v3"), pods({"v1": 2, "v2": 1, "v3": 2}))
