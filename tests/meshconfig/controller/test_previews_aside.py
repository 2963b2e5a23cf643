"""A preview lane whose own resources cannot be written: it says so, its group and the other lanes go on without it."""

import json
import re
import threading

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


@pytest.mark.slow
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


@pytest.mark.parametrize(
    "status", [403, pytest.param(422, marks=pytest.mark.slow), pytest.param(500, marks=pytest.mark.slow)]
)
def test_what_the_api_server_refuses_keeps_the_group_from_changing_and_takes_no_route_away(previews, backend, status):
    """A policy, or a webhook that does not answer: that may pass, and the lane is in use."""
    refusing = threading.Event()

    def refuses(method, url):
        if refusing.is_set() and method == "PATCH" and f"/{ROUTES[backend][0]}/pr-42-cat-example-com" in url:
            raise RefusedError(status, "Refused", "not now")

    previews.api.before.append(refuses)
    with previews.world.controller():
        previews.apply(lane())
        previews.until_phase("Ready")
        before = previews.api.get(ROUTES[backend][0], "pr-42-cat-example-com")
        refusing.set()
        previews.world.apply(changed(document(HOSTS), lambda spec: spec.update(backend=backend, trail=True)))
        previews.world.until(lambda: "not now" in str(previews.world.conditions()), "the refusal")
        assert previews.api.get(ROUTES[backend][0], "pr-42-cat-example-com") == before
        assert previews.status()["phase"] == "Ready"
        refusing.clear()
        previews.world.until_ready()


@pytest.mark.slow
def test_a_lane_that_no_plan_has_and_whose_pods_crash_has_its_group_not_planned_all_the_time(previews, backend):
    taken(previews, backend)
    with previews.world.controller():
        previews.apply(lane())
        until_aside(previews)
        previews.api.stuck.add(IMAGE)
        previews.api.put(previews.api.get("deployments", "cat-pr-42"))
        previews.until_quiet()
        before = len(previews.api.seen)
        threading.Event().wait(3)
        assert len(previews.api.seen) - before < 120  # 36 plans in 10 s are 280


@pytest.mark.slow
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
