"""A preview lane whose own resources cannot be written: it says so, its group and the other lanes go on without it."""

import json
import re
from typing import Any

import pytest
from controller_world import changed, document
from fake_api import RefusedError
from preview_world import IMAGE, PreviewWorld, lane, world
from rollout_world import GROUP, rollout

from meshconfig.cluster.change import Wanted
from meshconfig.cluster.client import Client
from meshconfig.cluster.lanegroups import GroupObject
from meshconfig.controller import reconcile
from meshconfig.rollout import beside
from meshconfig.spec.preview import version_labels

__all__ = ["world"]

HOSTS = re.sub(r"(host: (\w+)-svc, port: 9001)", r"\1, selector: {app: \2}", GROUP).replace(
    "      routes:", '      laneHosts: "{lane}.cat.example.com"\n      routes:'
)
OTHER = {"cat": {"from": "v1", "image": "shop/cat:other"}}
ROUTES = {"istio": ("virtualservices", "VirtualService"), "gateway": ("httproutes", "HTTPRoute")}


@pytest.fixture(params=[pytest.param("istio", marks=pytest.mark.slow), "gateway"])
def backend(request):
    return request.param


@pytest.fixture
def previews(world, backend, monkeypatch):
    world.api.owners = True  # or a Service that goes would not be known as a version's
    monkeypatch.setattr(reconcile, "AGAIN", (0.3, 1.0))  # seconds until what is in the way is looked for again
    world.apply(changed(document(HOSTS), lambda spec: spec.update(backend=backend)))
    return PreviewWorld(world)


def taken(previews, backend, name="pr-42-cat-example-com"):
    """The route for a lane's host, which somebody else has made."""
    plural, kind = ROUTES[backend]
    api = "networking.istio.io/v1" if backend == "istio" else "gateway.networking.k8s.io/v1"
    previews.api.put({"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "demo"}, "spec": {}})
    return plural, f"{kind} demo/{name}"


def until_aside(previews, *said, name="pr-42"):
    previews.until_phase("Failed", name)
    found = previews.condition(name)
    assert found["reason"] == "Refused"
    assert "\n" not in found["message"]
    assert all(one in found["message"] for one in said), found["message"]


def test_a_name_that_is_taken_sets_aside_one_lane_and_it_comes_once_the_name_is_free(previews, backend):
    plural, named = taken(previews, backend)
    with previews.world.controller():
        previews.apply(lane())
        previews.apply(lane("pr-7", OTHER))
        previews.until_phase("Ready", "pr-7")
        until_aside(previews, named, "nobody's", "give the lane another name")
        previews.world.until_ready()
        assert previews.world.object()["status"]["lanes"] == ["prod", "gray", "pr-7"]
        assert previews.api.get(plural, "pr-42-cat-example-com")["spec"] == {}
        previews.api.answer("DELETE", f"/apis/{_api(backend)}/namespaces/demo/{plural}/pr-42-cat-example-com", None)
        previews.until_phase("Ready")
    assert previews.api.get(plural, "pr-42-cat-example-com")["spec"]


def _api(backend):
    return "networking.istio.io/v1" if backend == "istio" else "gateway.networking.k8s.io/v1"


def test_the_service_of_a_version_that_is_somebody_s(previews, backend):
    """With Istio's backend a version has no Service: one of that name is in nobody's way."""
    mine = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cat-svc-pr-42", "namespace": "demo"}}
    previews.api.put({**mine, "spec": {"ports": [{"port": 1}]}})
    previews.api.stuck.add(IMAGE)  # it is known before its Pods are ready, and so before anybody waits for them
    with previews.world.controller():
        previews.apply(lane())
        if backend == "istio":
            previews.until_because("Pods")
        else:
            until_aside(previews, "Service demo/cat-svc-pr-42", "kubectl label")
        previews.world.until_ready()
        previews.world.apply(changed(document(HOSTS), lambda spec: spec.update(backend=backend, drift="report")))
        previews.world.until_ready()
    assert previews.api.get("services", "cat-svc-pr-42")["spec"] == {"ports": [{"port": 1}]}


@pytest.mark.parametrize("when", ["in the dry run", pytest.param("when it is written", marks=pytest.mark.slow)])
def test_a_resource_that_the_api_server_refuses(previews, backend, when):
    """A policy sees a dry run too; a quota only counts what is written."""
    asked = []

    def refuses(method, url):
        here = f"/{ROUTES[backend][0]}/pr-42-cat-example-com" in url
        if method == "PATCH" and here and asked != ["allowed"] and ("dryRun" in url) == (when == "in the dry run"):
            raise RefusedError(403, "Forbidden", "exceeded quota:\n two routes")

    previews.api.before.append(refuses)
    with previews.world.controller():
        previews.apply(lane())
        previews.apply(lane("pr-7", OTHER))
        previews.until_phase("Ready", "pr-7")
        until_aside(previews, f"{ROUTES[backend][1]} demo/pr-42-cat-example-com", "exceeded quota: two routes")
        previews.world.until_ready()
        asked.append("allowed")
        previews.until_phase("Ready")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["istio"])
def test_pods_that_are_ready_again_have_the_group_planned_at_once(previews, monkeypatch):
    """Not only when the group tries again by itself, which it does more and more rarely."""
    monkeypatch.setattr(reconcile, "AGAIN", (600.0, 600.0))
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "cat", "namespace": "demo"},
        "spec": {},
    }
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Running", "podIP": "10.0.0.1"}
    labels = {**previews.api.get("services", "cat-svc")["spec"]["selector"], "v": "v1"}
    previews.api.put({**pod, "metadata": {**pod["metadata"], "labels": labels}, "status": ready})
    with previews.world.controller():
        previews.apply(lane())
        until_aside(previews, "no ready Pod")
        previews.api.stuck.add(IMAGE)
        previews.api.put(previews.api.get("deployments", "cat-pr-42"))
        previews.until_quiet()
        labels |= version_labels("pr-42", "cat")
        previews.api.put({**pod, "metadata": {**pod["metadata"], "name": "new", "labels": labels}, "status": ready})
        previews.api.run_again(IMAGE)
        previews.until_phase("Ready")


def test_pods_that_end_before_their_routes_are_there_are_waited_for_by_their_lane_alone(previews, backend):
    """Not by the plan, in which the whole group would wait."""
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": {}, "status": {"phase": "Running"}}
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Running", "podIP": "10.0.0.1"}

    def pods(name, labels):
        return {**pod, "metadata": {"name": name, "namespace": "demo", "labels": labels}, "status": ready}

    selector = previews.api.get("services", "cat-svc")["spec"]["selector"]
    previews.api.put(*(pods(f"cat-{v}", {**selector, "v": v}) for v in ("v1", "v2")))
    previews.api.put(pods("cat-pr-7", {**selector, **version_labels("pr-7", "cat")}))
    with previews.world.controller():
        previews.apply(lane())
        previews.apply(lane("pr-7", OTHER))
        previews.until_phase("Ready", "pr-7")
        until_aside(previews, "no ready Pod")
        previews.api.put(pods("cat-pr-42", {**selector, **version_labels("pr-42", "cat")}))
        previews.until_phase("Ready")


def test_the_plan_that_a_person_is_shown_is_that_without_it(previews, backend):
    taken(previews, backend)
    with previews.world.controller():
        previews.apply(lane())
        until_aside(previews)
        previews.world.until_ready()
        spec = GroupObject(previews.world.object()).spec()
        prepared = beside.planned(Client.connect(), Wanted("pets", "demo", spec), print)
    assert (prepared.done, [str(one) for one in prepared.differences]) == (True, [])


@pytest.mark.slow
def test_a_rollout_goes_on_without_it(previews, backend):
    taken(previews, backend)
    moves = rollout([{"weight": 10}, {"weight": 100}], keepOld=None).model_dump_json(by_alias=True, exclude_unset=True)
    where = "/apis/graylane.dev/v1/namespaces/demo/rollouts/cat-v2"
    with previews.world.controller():
        previews.apply(lane())
        until_aside(previews)
        previews.world.until_ready()
        previews.api.answer("PATCH", where, {**json.loads(moves), "apiVersion": "graylane.dev/v1"})

        def stage():
            return (previews.api.get("rollouts", "cat-v2").get("status") or {}).get("stage")

        previews.until(lambda: stage() == "succeeded", "the end of the rollout")
        until_aside(previews)


@pytest.mark.slow
def test_a_lane_that_is_set_aside_ends_like_any_other(previews, backend):
    taken(previews, backend)
    with previews.world.controller():
        previews.apply(lane())
        until_aside(previews)
        previews.delete()
        previews.until_gone()
        previews.world.until_ready()
