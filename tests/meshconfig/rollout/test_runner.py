"""Rollouts driven against an API server: what a cluster has become at their end, whatever happened on the way."""

import threading
from contextlib import suppress
from copy import deepcopy

import pytest
from canned import answering
from fake_api import RefusedError, deployment
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rollout_world import GROUP, METRICS, group, rollout
from runner_world import Patient, cluster, mesh, rendered, until

from meshconfig.cluster.client import Client
from meshconfig.rollout import steps
from meshconfig.rollout.events import Abort, Approve, Pause, Resume
from meshconfig.rollout.runner import context, routing, scaling
from meshconfig.rollout.state import Phase, Stage

__all__ = ["cluster", "mesh"]

pytestmark = pytest.mark.slow  # a runner waits, as it does in life
SHORT = [{"weight": 10, "replicas": "25%"}, {"pause": {}}, {"weight": 100}]
STRAIGHT = [{"weight": 50}, {"weight": 100}]
BEGUN = {"cat-v1": 8, "cat-v2": 1, "mouse-v1": 4, "mouse-v2": 1}


def ended(plan):
    return rendered(steps.ended(group(), plan))


def test_the_whole_way_ends_in_what_render_makes_of_the_group_without_the_old_version(mesh):
    plan = rollout(SHORT, keepOld="0s")
    mesh.start(plan)
    state = mesh.run(until=lambda state: state.stage is Stage.APPROVAL)
    assert (state.applied, state.pods["cat"]) == (10, {"v1": 8, "v2": 2})
    assert mesh.routes() == rendered(steps.at_weight(group(), plan, 10))
    mesh.say(Approve("bob", "looks good"))
    assert mesh.run().phase is Phase.SUCCEEDED
    assert mesh.routes() == ended(plan)
    assert mesh.replicas() == {"cat-v2": 8, "mouse-v2": 4}


def test_without_keep_old_nothing_is_deleted(mesh):
    mesh.start(rollout(STRAIGHT, keepOld=None))
    assert mesh.run().phase is Phase.SUCCEEDED
    assert mesh.replicas() == {"cat-v1": 8, "cat-v2": 8, "mouse-v1": 4, "mouse-v2": 4}


def test_an_abort_during_a_pause_leaves_all_as_it_was(mesh):
    before = mesh.routes()
    mesh.start(steps=SHORT)
    mesh.run(until=lambda state: state.stage is Stage.APPROVAL)
    assert mesh.routes() != before
    mesh.say(Abort("bob", "not today"))
    assert mesh.run().phase is Phase.ABORTED
    assert (mesh.routes(), mesh.replicas()) == (before, BEGUN)


def test_an_abort_while_pods_are_waited_for_needs_no_pods(mesh):
    mesh.api.stuck.add("bad")
    mesh.api.put(deployment("cat-v2", {"v": "v2"}, 1, image="bad"))
    before = mesh.routes()
    mesh.start(steps=STRAIGHT)
    seen = []

    def waited(state):
        seen.append(state.stage)
        return seen.count(Stage.SCALE) > 20

    state = mesh.run(until=waited)
    assert (state.stage, mesh.replicas()["cat-v2"]) == (Stage.SCALE, 4)
    assert mesh.routes() == before
    mesh.say(Abort("bob"))
    # The broken one's only Pod does not come up on the way back either, so that way does not end by itself.
    mesh.api.stuck.clear()
    mesh.api.put(deployment("cat-v2", {"v": "v2"}, 4))
    assert mesh.run().phase is Phase.ABORTED
    assert mesh.replicas() == BEGUN


def test_pods_that_are_not_ready_in_time_take_all_services_back(mesh):
    mesh.api.stuck.add("bad")
    broken = deployment("mouse-v2", {"v": "v2"}, 0, image="bad")
    broken["spec"]["progressDeadlineSeconds"] = 0
    mesh.api.put(broken)
    mesh.start(steps=STRAIGHT)
    assert mesh.run().phase is Phase.ROLLED_BACK
    assert "0 of 2 Pods of Deployment demo/mouse-v2 ready" in mesh.state().why
    assert mesh.replicas() == {**BEGUN, "mouse-v2": 0}


def test_a_version_that_dies_while_it_is_looked_at_takes_all_back(mesh, monkeypatch):
    monkeypatch.setattr(scaling, "AILING", 0)
    mesh.start(steps=SHORT)
    mesh.run(until=lambda state: state.stage is Stage.APPROVAL)
    mesh.api.get("deployments", "cat-v2")["status"]["readyReplicas"] = 0
    assert mesh.run().phase is Phase.ROLLED_BACK
    assert "no Pod of Deployment demo/cat-v2 is ready" in mesh.state().why


def test_a_new_version_keeps_the_pods_that_somebody_gave_it_besides(mesh):
    mesh.start(rollout(SHORT, keepOld=None))
    mesh.run(until=lambda state: state.stage is Stage.APPROVAL)
    mesh.api.put(deployment("cat-v2", {"v": "v2"}, 11))
    mesh.say(Approve("bob"))
    assert mesh.run().phase is Phase.SUCCEEDED
    assert mesh.replicas()["cat-v2"] == 11


def test_where_an_autoscaler_rules_its_bounds_move_and_come_back(mesh):
    text = GROUP.replace("v2: {labels: {v: v2}}", "v2: {labels: {v: v2}, autoscale: {min: 1, max: 3}}", 1)
    mesh.apply(group(text))
    before = mesh.routes()
    mesh.start(steps=SHORT)
    mesh.run(until=lambda state: state.stage is Stage.APPROVAL)
    spec = mesh.api.get("horizontalpodautoscalers", "cat-v2")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 3)
    assert mesh.replicas()["cat-v2"] == 2
    mesh.say(Abort("bob"))
    assert mesh.run().phase is Phase.ABORTED
    assert mesh.routes() == before


ANALYSED = [{"weight": 10}, {"analysis": {"for": "1s"}}, {"weight": 100}]


def measured_by(url, **metric):
    found = {"prometheus": url, "metrics": [{**METRICS[1], "every": "1s", **metric}]}
    return rollout(ANALYSED, analysis=found, keepOld=None)


def sample(value):
    return 200, f'{{"status": "success", "data": {{"resultType": "scalar", "result": [9999999999, "{value}"]}}}}'


def test_metrics_that_pass_let_it_go_on_and_bad_ones_take_it_back(mesh):
    before = mesh.routes()
    with answering(sample(99)) as prometheus:
        mesh.start(measured_by(prometheus.url))
        assert mesh.run(stop=Patient()).phase is Phase.ROLLED_BACK
        assert mesh.state().why == "queue: 99 is above max 10"
        assert (mesh.routes(), mesh.replicas()) == (before, BEGUN)
        prometheus.answers = [sample(3)]
        mesh.start(measured_by(prometheus.url))
        assert mesh.run(stop=Patient()).phase is Phase.SUCCEEDED
    assert mesh.state().generation == 2


def test_no_data_pauses_and_neither_goes_on_nor_back(mesh):
    mesh.start(measured_by("http://127.0.0.1:1"))
    state = mesh.run(until=lambda state: state.stage is Stage.NO_DATA, stop=Patient())
    assert (state.phase, state.applied) == (Phase.PAUSED, 10)
    assert "127.0.0.1:1" in state.why
    mesh.say(Abort("bob"))
    assert mesh.run().phase is Phase.ABORTED


def test_a_second_rollout_of_the_same_services_begins_once_the_first_has_gone_back(mesh):
    before = mesh.routes()
    mesh.start(rollout(SHORT))
    mesh.run(until=lambda state: state.stage is Stage.APPROVAL)
    second = rollout(STRAIGHT, keepOld=None)
    second = second.model_copy(update={"metadata": second.metadata.model_copy(update={"name": "again"})})
    assert mesh.start(second).superseded == ("cat-v2",)
    assert mesh.state().stage is Stage.ROUTES_BACK
    waits = "again: waits for rollout cat-v2 to end"
    assert mesh.run("again", until=lambda state: waits in mesh.said).stage is Stage.PENDING
    assert mesh.run().phase is Phase.ABORTED
    assert (mesh.routes(), mesh.replicas()) == (before, BEGUN)
    assert mesh.run("again").phase is Phase.SUCCEEDED
    assert mesh.routes() == ended(second)


def test_a_decision_ends_a_change_that_is_under_way(mesh, monkeypatch):
    """The first write of the new routes is when somebody aborts; the runner does not write the rest."""
    monkeypatch.setattr(context, "LOOK", 0)
    mesh.start(steps=STRAIGHT)
    aborted = []

    def abort(method, path):
        if method == "PATCH" and "/virtualservices/mouse-svc" in path and "dryRun" not in path and not aborted:
            aborted.append(path)
            mesh.say(Abort("bob"))

    mesh.api.before.append(abort)
    before = mesh.routes()
    assert mesh.run().phase is Phase.ABORTED
    assert mesh.routes() == before
    outcomes = [
        one["data"]["message"]
        for (kind, _, name), one in mesh.api.objects.items()
        if name.startswith("graylane-pets-r")
    ]
    assert "the rollout has changed in the meantime" in outcomes


class Killed(BaseException):
    pass


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 120), min_size=1, max_size=4))
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_killed_before_any_request_the_next_runner_ends_it_all_the_same(mesh, kills):
    mesh.api.objects = {name: one for name, one in mesh.api.objects.items() if name[0] in ("services",)}
    for name, count in BEGUN.items():
        mesh.api.put(deployment(name, {"v": name[-2:]}, count))
    mesh.apply(group())
    plan = rollout(STRAIGHT, keepOld="0s")
    mesh.start(plan)
    asked = Client.request
    for kill in [*kills, None]:
        left = iter(range(kill or 10_000))

        def request(*given, left=left, **more):
            if next(left, None) is None:
                raise Killed
            return asked(*given, **more)

        with pytest.MonkeyPatch.context() as patch, suppress(Killed):
            patch.setattr(Client, "request", request)
            mesh.run()
        mesh.api.objects.pop(("leases", "demo", "graylane-pets"), None)  # its process is known to be dead
    assert mesh.state().phase is Phase.SUCCEEDED
    assert mesh.routes() == ended(plan)
    assert mesh.replicas() == {"cat-v2": 8, "mouse-v2": 4}


def test_a_driver_drives_what_its_watches_see_and_the_next_one_goes_on(mesh):
    mesh.start(steps=SHORT)
    with mesh.driven() as changed:
        until(lambda: mesh.state().stage is Stage.APPROVAL)
    assert set(changed) == {("demo", "pets")}
    mesh.say(Approve("bob"))
    with mesh.driven():
        until(lambda: mesh.state().stage is Stage.KEEP and mesh.state().told == len(mesh.state().log))
    assert sum("taken over" in line for line in mesh.said) == 1


def test_a_rollout_that_waits_for_a_person_asks_nothing_of_the_api_server(mesh):
    mesh.start(rollout([{"weight": 10, "pause": {"for": "1h"}}, {"weight": 100}]))
    with mesh.driven():
        until(lambda: mesh.state().stage is Stage.WAIT)
        mesh.say(Pause("bob"))
        until(lambda: mesh.state().told == len(mesh.state().log))
        threading.Event().wait(0.5)
        seen = len(mesh.api.seen)
        threading.Event().wait(2 * context.LOOK)
        assert mesh.api.seen[seen:] == []
        mesh.say(Resume("bob"))
        mesh.say(Approve("bob"))
        until(lambda: mesh.state().stage is Stage.KEEP)


def test_a_rollout_that_cannot_be_read_does_not_keep_the_others(mesh):
    mesh.start(rollout(STRAIGHT, keepOld=None))
    broken = deepcopy(mesh.object())
    broken["metadata"]["name"], broken["status"]["state"] = "broken", "{"
    mesh.api.put(broken)
    with mesh.driven():
        until(lambda: mesh.state().phase is Phase.SUCCEEDED)
    assert sum("stored state of a rollout" in line for line in mesh.said) == 1


def test_a_mistake_of_our_own_is_told_counted_and_tried_again(mesh, monkeypatch):
    mesh.start(rollout(STRAIGHT, keepOld=None))
    mistakes = iter([ZeroDivisionError("ours")])

    def drive(*given):
        if mistake := next(mistakes, None):
            raise mistake
        return wanted(*given)

    wanted = steps.wanted
    monkeypatch.setattr(steps, "wanted", drive)
    assert mesh.run().phase is Phase.SUCCEEDED
    assert any("ZeroDivisionError: ours" in line for line in mesh.said)
    assert mesh.metrics.registry.get_sample_value("graylane_rollout_errors_total", {"what": "worker"}) == 1


def test_a_lost_api_server_is_waited_for(mesh, monkeypatch):
    monkeypatch.setattr("meshconfig.rollout.runner.worker.LATER", 0.05)
    monkeypatch.setattr("meshconfig.rollout.runner.routing.BUSY", 0.05)
    mesh.start(rollout(STRAIGHT, keepOld=None))
    down = iter([True] * 3)

    def drop(method, path):
        if method == "PATCH" and next(down, False):
            raise ConnectionError  # the connection ends without an answer

    mesh.api.before.append(drop)
    assert mesh.run(stop=Patient()).phase is Phase.SUCCEEDED


def test_a_change_that_is_refused_is_tried_three_times_and_then_all_go_back(mesh, monkeypatch):
    monkeypatch.setattr(routing, "PAUSES", (0.0, 0.0))
    before = mesh.routes()
    mesh.start(rollout(STRAIGHT))

    def refuse(method, path):
        if method == "PATCH" and "/virtualservices/" in path and mesh.state().stage is Stage.ROUTE:
            raise RefusedError(422, "Invalid", "not in this cluster")

    mesh.api.before.append(refuse)
    assert mesh.run().phase is Phase.ROLLED_BACK
    assert "not in this cluster" in mesh.state().why
    assert mesh.metrics.registry.get_sample_value("graylane_rollout_errors_total", {"what": "apply"}) == 3
    assert (mesh.routes(), mesh.replicas()) == (before, BEGUN)


def test_a_deployment_that_is_gone_before_it_is_taken_up_ends_it(mesh):
    before = mesh.routes()
    mesh.start(rollout(STRAIGHT))
    del mesh.api.objects["deployments", "demo", "mouse-v2"]
    assert mesh.run().phase is Phase.ROLLED_BACK
    assert "there is no Deployment demo/mouse-v2" in mesh.state().why
    assert mesh.routes() == before


def test_pause_by_hand_holds_it_where_it_is_and_resume_takes_up_the_same_work(mesh):
    mesh.start(rollout(STRAIGHT, keepOld=None))
    mesh.run(until=lambda state: state.stage is Stage.ROUTE)
    mesh.say(Pause("bob", "lunch"))
    before = mesh.routes()
    assert mesh.run().stage is Stage.HELD
    assert mesh.routes() == before
    mesh.say(Resume("bob"))
    assert mesh.run().phase is Phase.SUCCEEDED
