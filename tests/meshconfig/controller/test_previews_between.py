"""What may happen to Lanes between two looks of a controller: other specs, lost answers, other Lanes and hands."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from controller_world import SETTINGS, changed, document
from fake_api import deployment, service
from faults import HTML
from preview_world import LANES, cron_job, lane, previews, world
from prometheus_client import CollectorRegistry

from meshconfig.cluster.client import Client
from meshconfig.cluster.previews import written
from meshconfig.cluster.watching import Change
from meshconfig.controller.previews import PreviewMetrics, Previews
from meshconfig.controller.queue import WorkQueue
from meshconfig.spec.preview import KEEP_UNTIL

__all__ = ["previews", "world"]
CLONE = "cat-pr-42"


class Lost:
    """The server does what it is asked, and something else answers; a client does not send that again."""

    def serve(self, handler, body):
        handler.answer(body)
        handler.reply(200, HTML)


@pytest.mark.slow
def test_a_lane_whose_services_are_all_swapped_still_ends_by_its_routes_first(previews):
    previews.api.put(cron_job("make", "make"))
    hooks = {"before": "make"}
    with previews.world.controller():
        previews.apply(lane(hooks=hooks))
        previews.until_phase("Ready")
        (job,) = previews.api.names("jobs")
        previews.api.answer("DELETE", f"/apis/batch/v1/namespaces/demo/jobs/{job}", None)
        previews.api.stuck.add("shop/mouse:new")
        previews.apply(lane(versions={"mouse": {"from": "v1", "image": "shop/mouse:new"}}, hooks=hooks))
        previews.until_because("Pods")
        previews.until(lambda: not previews.is_routed(), "the end of the old routes")
        assert previews.api.names("jobs") == set()  # it was done before, and is not asked again
        assert previews.api.get("deployments", CLONE)
        previews.delete()
        previews.until_gone()
    seen = [one.get("status") or {} for _, _, key, one in previews.api.events if key[0] == "lanes"]
    stated = ["versions" in one for one in seen]
    assert all(stated[stated.index(True) :])  # "nothing" would let an end wait for no routes


@pytest.mark.slow
def test_a_plan_is_asked_for_though_the_answer_about_the_status_was_lost(previews):
    lost = []

    def fault(method, path):
        if lost or method != "PATCH" or not path.startswith(f"{LANES}/pr-42/status"):
            return None
        lost.append(path)
        return Lost()

    previews.api.fault = fault
    with previews.world.controller():
        previews.until_quiet()
        previews.apply(lane())
        previews.until_phase("Ready")
    assert lost


@pytest.mark.slow
def test_a_cron_job_that_runs_by_itself_is_no_hook(previews):
    own = cron_job("make", "make")
    previews.api.put({**own, "spec": {**own["spec"], "suspend": False}})
    with previews.world.controller():
        previews.apply(lane(hooks={"before": "make"}))
        previews.until_because("NoHook")
        assert "spec.hooks.before takes a CronJob with spec.suspend: true" in previews.condition()["message"]
        assert previews.api.names("jobs") == set()
        previews.api.put(own)  # no watch tells of it
        previews.until_phase("Ready")


@pytest.mark.slow
def test_two_workers_give_the_last_place_once(previews):
    """pr-2 is about to get it when pr-1 comes, which is before it in the queue."""
    previews.world.apply(changed(document(), lambda spec: spec.update(limits={"previews": 1})))
    came, earlier = [], datetime.now(UTC) - timedelta(minutes=1)

    def hold(method, url):
        if method == "PATCH" and url.startswith(f"{LANES}/pr-2?fieldManager=graylane-controller") and not came:
            came.append(url)
            with previews.api.lock:
                previews.apply(lane("pr-1"))
                previews.get("pr-1")["metadata"]["creationTimestamp"] = written(earlier)
            threading.Event().wait(1.0)

    previews.api.before.append(hold)
    with previews.world.controller():
        previews.world.until_ready()
        previews.apply(lane("pr-2"))
        previews.until_because("Quota", "pr-1")
        previews.until_phase("Ready", "pr-2")
    assert came
    assert "finalizers" not in previews.get("pr-1")["metadata"]


@pytest.mark.slow
def test_the_clone_of_a_lane_of_the_same_name_elsewhere_is_left_alone(previews):
    """Two groups share a namespace of services, and each has a pr-42."""
    theirs = deployment(CLONE, {"graylane.dev/lane": "pr-42"}, image="theirs")
    theirs["metadata"]["labels"] = {"graylane.dev/lane": "pr-42"}
    theirs["metadata"]["annotations"] = {"graylane.dev/lane-uid": "other", "graylane.dev/lane-namespace": "other"}
    previews.api.put(theirs)
    with previews.world.controller():
        previews.apply(lane())
        previews.until_because("NameTaken")
        previews.delete()
        previews.until_gone()
    assert previews.api.get("deployments", CLONE)["spec"]["template"]["spec"]["containers"][0]["image"] == "theirs"


@pytest.mark.slow
def test_a_name_that_was_taken_is_looked_at_again(previews):
    """No watch tells of Deployments and Services of others."""
    previews.api.put(deployment(CLONE, {"app": "theirs"}, image="theirs"))
    with previews.world.controller():
        previews.until_quiet()
        previews.apply(lane())
        previews.until_because("NameTaken")
        previews.api.answer("DELETE", f"/apis/apps/v1/namespaces/demo/deployments/{CLONE}", None)
        previews.until_phase("Ready")


@pytest.mark.slow
def test_a_clone_that_was_refused_is_tried_again(previews):
    with previews.world.controller():
        previews.until_quiet()
        previews.api.put({**service("metrics"), "spec": {"selector": {"app": "cat"}, "ports": [{"port": 1}]}})
        previews.api.put(deployment("cat-v1", {"v": "v1", "app": "cat"}))
        previews.apply(lane())
        previews.until_because("NotCloned")
        previews.api.answer("DELETE", "/api/v1/namespaces/demo/services/metrics", None)
        previews.until_phase("Ready")


@pytest.mark.slow
def test_a_new_leader_learns_of_lanes_also_where_drift_is_only_reported(previews):
    previews.world.apply(changed(document(), lambda spec: spec.update(drift="report")))
    with previews.world.controller():
        previews.apply(lane())
        previews.until_phase("Ready")
        previews.world.until_ready()
    previews.api.answer("DELETE", "/apis/networking.istio.io/v1/namespaces/demo/destinationrules/mouse-svc", None)
    previews.apply(lane(ttl="9h"))
    with previews.world.controller():
        previews.until(lambda: "Drifted" in previews.world.conditions(), "the drift")
        previews.until_phase("Ready")


@pytest.mark.slow
def test_a_lane_whose_group_is_gone_ends(previews):
    with previews.world.controller():
        previews.apply(lane())
        previews.until_phase("Ready")
    with previews.api.lock:  # as by hand, without the group's finalizer
        del previews.api.objects["lanegroups", "demo", "pets"]
    with previews.world.controller():
        previews.until_gone()
    assert previews.world.events("GroupEnds") == ["LaneGroup pets is gone"]
    assert previews.api.get("deployments", CLONE) is None


@pytest.mark.slow
def test_a_lane_that_is_prolonged_while_it_expires_stays(previews):
    came = []

    def prolong(method, url):
        if method == "DELETE" and "/lanes/pr-42" in url and not came:
            came.append(url)
            previews.apply({**previews.get(), "status": {}}, annotations={KEEP_UNTIL: "2999-01-01T00:00:00Z"})

    previews.api.before.append(prolong)
    with previews.world.controller():
        previews.apply(lane(ttl="2s"))
        previews.until(lambda: came, "its end")
        previews.until(lambda: previews.status().get("expires") == "2999-01-01T00:00:00Z", "a later end")
        previews.until_phase("Ready")


def known(clock=time.monotonic):
    """Of a leader that has seen two Lanes and has looked at them."""
    metrics = PreviewMetrics(CollectorRegistry())
    ended, queue = threading.Event(), WorkQueue(clock)
    found = Previews(Client.connect(), SETTINGS, ended, print, print, print, metrics, queue=queue)
    for name in ("pr-1", "pr-2"):
        found.see(Change.THERE, lane(name))
    while found.queue:
        found.queue.done(found.queue.take())
    return found


def test_one_whose_pods_are_ready_is_looked_at_before_those_that_wait_longer(previews):
    now = [0.0]
    one = known(lambda: now[0])
    made = deployment("cat-pr-2", {"graylane.dev/lane": "pr-2"})
    made["metadata"]["labels"] = {"graylane.dev/lane": "pr-2"}
    made["status"] = {"updatedReplicas": 1, "readyReplicas": 1}
    one.queue.add(("demo", "pr-1"))
    one.see_made(Change.THERE, made)
    now[0] = 1.0
    assert [one.queue.take(), one.queue.take()] == [("demo", "pr-2"), ("demo", "pr-1")]
    one.see_made(Change.GONE, {"kind": "Deployment", "metadata": {"name": "cat-pr-2", "namespace": "demo"}})


def test_one_that_goes_between_two_lists_leaves_its_place_to_the_next(previews):
    """A watch that begins anew tells of it by its name alone."""
    one = known()
    one.see(Change.GONE, {"kind": "Lane", "metadata": {"name": "pr-1", "namespace": "demo"}})
    assert one.queue.take() == ("demo", "pr-2")
