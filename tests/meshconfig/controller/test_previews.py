"""What a person sees who applies, changes and deletes Lanes while a controller works."""

import json

import pytest
from controller_world import changed, document
from fake_api import deployment, service
from preview_world import IMAGE, cron_job, lane, never_reached_unready, previews, world
from rollout_world import GROUP, rollout

from meshconfig.cluster.change import Wanted, rollback_target
from meshconfig.cluster.client import Client
from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.rollout import beside, store
from meshconfig.rollout.events import Approve

__all__ = ["previews", "world"]
CLONE = "cat-pr-42"
ALICE = {"app": "mouse-svc", "v": "alice"}


def test_a_lane_becomes_reachable_and_its_status_says_so(previews):
    with previews.world.controller():
        previews.apply(lane(versions={"cat": {"from": "v1", "image": IMAGE, "env": {"FLAG": "1"}, "replicas": 2}}))
        previews.until_phase("Ready")
        previews.world.until_ready()
    made = previews.api.get("deployments", CLONE)
    container = made["spec"]["template"]["spec"]["containers"][0]
    assert (container["image"], container["env"]) == (IMAGE, [{"name": "FLAG", "value": "1"}])
    assert made["spec"]["replicas"] == 2
    assert previews.is_routed()
    assert not previews.is_routed(host="mouse-svc") or "pr-42" not in previews.subsets("mouse-svc")
    status = previews.status()
    assert set(status) == {"phase", "expires", "readySince", "versions", "observedGeneration", "conditions"}
    assert previews.condition()["type"] == "Ready"
    assert previews.get()["metadata"]["finalizers"] == ["graylane.dev/lane"]
    assert previews.world.object()["status"]["lanes"] == ["prod", "gray", "pr-42"]
    assert "Ready" in previews.world.reasons()


@pytest.mark.slow
def test_its_end_takes_routes_then_pods_then_the_object(previews):
    with previews.world.controller():
        previews.apply(lane())
        previews.until_phase("Ready")
        gone = []
        previews.api.before.append(
            lambda method, url: (
                gone.append((previews.is_routed(), "pr-42" in previews.subsets()))
                if method == "DELETE" and CLONE in url
                else None
            )
        )
        previews.delete()
        previews.until_gone()
        previews.world.until_ready()
    assert gone == [(False, False)]
    assert previews.api.get("deployments", CLONE) is None
    assert previews.order(("DELETED", "deployments", CLONE), ("DELETED", "lanes", "pr-42")) == [
        ("DELETED", "deployments", CLONE),
        ("DELETED", "lanes", "pr-42"),
    ]
    assert {"v1", "v2"} == previews.subsets()
    assert never_reached_unready(previews.api) > 0


@pytest.mark.slow
def test_a_lane_whose_pods_are_not_ready_is_not_routed(previews):
    previews.api.stuck.add(IMAGE)
    with previews.world.controller():
        previews.world.until_ready()
        previews.apply(lane())
        previews.until_because("Pods")
        assert "0 of 1 Pods of Deployment demo/cat-pr-42 are ready" in previews.condition()["message"]
        assert not previews.is_routed()
        previews.api.run_again(IMAGE)
        previews.until_phase("Ready")
    assert never_reached_unready(previews.api) > 0


@pytest.mark.slow
def test_a_lane_waits_for_its_group(world):
    from preview_world import PreviewWorld

    one = PreviewWorld(world)
    with world.controller():
        one.apply(lane())
        one.until_because("NoGroup")
        assert one.condition()["type"] == "Reconciling"
        assert "finalizers" not in one.get()["metadata"]
        world.apply(document())
        one.until_phase("Ready")


@pytest.mark.slow
def test_several_lanes_change_together(previews):
    names = [f"pr-{number}" for number in range(6)]
    for name in names:
        previews.apply(lane(name))
    with previews.world.controller():
        for name in names:
            previews.until_phase("Ready", name)
        assert previews.revisions() <= 4
        for name in names:
            previews.delete(name)
        for name in names:
            previews.until_gone(name)
        previews.world.until_ready()
    assert previews.revisions() <= 8
    assert {"v1", "v2"} == previews.subsets()


def of_the_group(spec):
    spec["lanes"]["pr-42"] = {}


def version_of_the_group(spec):
    spec["services"]["cat"]["versions"]["pr-42"] = {"labels": {"v": "x"}}


@pytest.mark.parametrize("taken", [of_the_group, version_of_the_group])
def test_a_name_that_the_group_has_itself_is_refused(previews, taken):
    previews.world.apply(changed(document(), taken))
    with previews.world.controller():
        previews.apply(lane())
        previews.until_phase("Failed")
        previews.world.until_ready()
    assert previews.condition()["type"] == "Stalled"
    assert "give the preview lane another name" in previews.condition()["message"]
    assert previews.api.get("deployments", CLONE) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ({"dog": {"from": "v9"}}, "there is no version of dog v9"),
        ({"cow": {"from": "v1"}}, "the group has no service cow"),
        ({"cat": {"from": "v1", "image": "evil.example.com/cat:1"}}, "is of no place that the group allows"),
    ],
)
def test_what_does_not_fit_the_group_is_refused_and_hinders_no_other_lane(previews, versions, said):
    previews.world.apply(changed(document(), lambda spec: spec.update(limits={"images": ["docker.io/shop"]})))
    with previews.world.controller():
        previews.apply(lane("pr-1", versions))
        previews.apply(lane())
        previews.until_phase("Failed", "pr-1")
        previews.until_phase("Ready")
    assert said in previews.condition("pr-1")["message"]


@pytest.mark.slow
def test_a_group_has_room_for_so_many_lanes(previews):
    previews.world.apply(changed(document(), lambda spec: spec.update(limits={"previews": 1})))
    with previews.world.controller():
        previews.apply(lane("pr-1"))
        previews.until_phase("Ready", "pr-1")
        previews.apply(lane("pr-2"))
        previews.until_because("Quota", "pr-2")
        assert previews.api.get("deployments", "cat-pr-2") is None
        previews.delete("pr-1")
        previews.until_phase("Ready", "pr-2")


@pytest.mark.slow
def test_an_expired_lane_goes_and_says_so_and_a_prolonged_one_stays(previews):
    late = {"graylane.dev/keep-until": "2999-01-01T00:00:00Z"}
    with previews.world.controller():
        previews.apply(lane("pr-1", ttl="1s"))
        previews.apply(lane("pr-2", ttl="1s"), annotations=late)
        previews.until_gone("pr-1")
        previews.until_phase("Ready", "pr-2")
    assert previews.status("pr-2")["expires"] == "2999-01-01T00:00:00Z"
    assert any("expired at" in one for one in previews.world.events("Expired"))


@pytest.mark.slow
def test_hooks_run_before_the_pods_and_after_them(previews):
    previews.api.put(cron_job("make", "make"), cron_job("drop", "drop"))
    previews.api.stuck.add("make")
    with previews.world.controller():
        previews.apply(lane(hooks={"before": "make", "after": "drop"}))
        previews.until_because("Hook")
        assert previews.api.get("deployments", CLONE) is None
        (job,) = [previews.api.get("jobs", name) for name in previews.api.names("jobs")]
        assert job["metadata"]["name"].startswith("pr-42-before-")
        env = job["spec"]["template"]["spec"]["containers"][0]["env"]
        assert {"name": "GRAYLANE_LANE", "value": "pr-42"} in env
        previews.api.run_again("make")
        previews.until_phase("Ready")
        previews.delete()
        previews.until_gone()
    (after,) = previews.api.names("jobs")
    order = previews.order(("DELETED", "deployments", CLONE), ("ADDED", "jobs", after), ("DELETED", "lanes", "pr-42"))
    assert [one[1] for one in order] == ["deployments", "jobs", "lanes"]


@pytest.mark.slow
def test_a_failed_hook_before_stops_the_lane_and_one_after_does_not(previews):
    previews.api.put(cron_job("make", "make"))
    previews.api.broken.add("make")
    with previews.world.controller():
        previews.apply(lane(hooks={"before": "make", "after": "make"}))
        previews.until_phase("Failed")
        assert previews.condition()["reason"] == "HookFailed"
        assert previews.api.get("deployments", CLONE) is None
        previews.delete()
        previews.until_gone()
    assert len(previews.world.events("HookFailed")) == 2


@pytest.mark.slow
def test_the_end_of_the_group_ends_its_lanes(previews):
    with previews.world.controller():
        previews.apply(lane())
        previews.until_phase("Ready")
        previews.world.delete()
        previews.until_gone()
        previews.until(lambda: not previews.world.object(), "the end of the group")
    assert previews.world.routes() == set()
    assert previews.api.get("deployments", CLONE) is None
    assert never_reached_unready(previews.api) > 0


@pytest.mark.slow
def test_all_may_be_deleted_at_once(previews):
    with previews.world.controller():
        previews.apply(lane())
        previews.apply(lane("pr-2"))
        previews.until_phase("Ready")
        previews.until_phase("Ready", "pr-2")
        with previews.api.lock:
            for name in ("pr-42", "pr-2"):
                previews.delete(name)
            previews.world.delete()
        previews.until_gone()
        previews.until_gone("pr-2")
        previews.until(lambda: not previews.world.object(), "the end of the group")
    assert never_reached_unready(previews.api) > 0
    assert never_reached_unready(previews.api, "pr-2") > 0
    assert {name for name in previews.api.names("deployments") if "pr-" in name} == set()


@pytest.mark.slow
def test_an_ending_namespace_is_not_held_up(previews):
    with previews.world.controller():
        previews.apply(lane())
        previews.until_phase("Ready")
        previews.api.ending.add("demo")
        previews.delete()
        previews.until_gone()


@pytest.mark.slow
def test_a_new_image_goes_to_the_clone_and_leaves_the_routes(previews):
    with previews.world.controller():
        previews.apply(lane())
        previews.until_phase("Ready")
        before = previews.revisions()
        previews.apply(lane(versions={"cat": {"from": "v1", "image": "shop/cat:pr-42b"}}))
        previews.until_phase("Ready")
        image = previews.api.get("deployments", CLONE)["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == "shop/cat:pr-42b"
    assert previews.revisions() == before


@pytest.mark.slow
def test_a_service_that_a_lane_drops_loses_its_routes_before_its_pods(previews):
    both = {"cat": {"from": "v1", "image": IMAGE}, "mouse": {"from": "v1"}}
    with previews.world.controller():
        previews.apply(lane(versions=both))
        previews.until_phase("Ready")
        previews.apply(lane(versions={"cat": both["cat"]}))
        previews.until(lambda: previews.api.get("deployments", "mouse-pr-42") is None, "the end of the clone")
        previews.until_phase("Ready")
        previews.apply(lane(versions=both))
        previews.until(lambda: "pr-42" in previews.subsets("mouse-svc"), "mouse again")
        previews.until_phase("Ready")
    assert never_reached_unready(previews.api, service="mouse", host="mouse-svc") > 0


def test_a_deployment_of_others_is_left_alone(previews):
    previews.api.put(deployment(CLONE, {"app": "theirs"}, image="theirs"))
    with previews.world.controller():
        previews.apply(lane())
        previews.until_phase("Failed")
        assert previews.condition()["reason"] == "NameTaken"
        previews.delete()
        previews.until_gone()
    assert previews.api.get("deployments", CLONE)["spec"]["template"]["spec"]["containers"][0]["image"] == "theirs"


def test_a_service_of_others_that_would_reach_the_lane_stops_it(previews):
    with previews.world.controller():
        previews.api.put({**service("metrics"), "spec": {"selector": {"app": "cat"}, "ports": [{"port": 1}]}})
        source = deployment("cat-v1", {"v": "v1", "app": "cat"})
        previews.api.put(source)
        previews.api.put({**service("cat-svc"), "spec": {"selector": {"app": "cat"}, "ports": [{"port": 9001}]}})
        previews.apply(lane())
        previews.until_phase("Failed")
    assert "Service metrics selects the Pods of cat-pr-42 too" in previews.condition()["message"]


@pytest.mark.slow
def test_a_crashed_lane_does_not_hinder_its_group(previews):
    with previews.world.controller():
        previews.apply(lane())
        previews.until_phase("Ready")
        previews.api.stuck.add(IMAGE)
        previews.api.answer("PATCH", "/apis/apps/v1/namespaces/demo/deployments/cat-pr-42/scale", {"spec": {}})
        previews.until_because("Pods")
        previews.world.apply(changed(document(), lambda spec: spec["lanes"].pop("gray")))
        previews.world.until(lambda: not any("gray" in one for one in previews.world.lane_routes()), "the change")
        previews.delete()
        previews.until_gone()
        previews.world.until_ready()


@pytest.mark.slow
def test_metrics_count_lanes_by_phase(previews):
    with previews.world.controller():
        previews.apply(lane())
        previews.until_phase("Ready")
        previews.until(lambda: 'phase="Ready"} 1.0' in previews.world.page(), "the metric")
        page = previews.world.page()
        previews.delete()
        previews.until_gone()
        previews.until(lambda: "graylane_previews{" not in previews.world.page(), "the metric's end")
    assert 'graylane_previews{group="pets",namespace="demo",phase="Ready"} 1.0' in page
    assert 'graylane_preview_created_timestamp_seconds{name="pr-42",namespace="demo"}' in page
    assert 'graylane_preview_ready_seconds_count{group="pets",namespace="demo"} 1.0' in page


def test_labels_that_select_another_lane_s_pods_are_refused(previews):
    labels = {"app": "cat-svc", "graylane.dev/lane": "pr-1", "team": "a"}
    previews.api.put(pod("cat-pr-1-x", labels))
    with previews.world.controller():
        previews.apply(lane(versions={"cat": {"labels": {"team": "a"}}}))
        previews.until_phase("Failed")
    assert "select Pods of lane pr-1, too" in previews.condition()["message"]
    assert not previews.is_routed()


@pytest.mark.slow
def test_a_lane_and_a_rollout_work_together(previews):
    moves = json.loads(
        rollout([{"weight": 10}, {"pause": {}}, {"weight": 100}], keepOld=None).model_dump_json(
            by_alias=True, exclude_unset=True
        )
    )
    where = "/apis/graylane.dev/v1/namespaces/demo/rollouts/cat-v2"
    with previews.world.controller():
        previews.world.until_ready()
        previews.apply(lane())
        previews.until_phase("Ready")
        previews.api.answer("PATCH", where, {**moves, "apiVersion": "graylane.dev/v1"})

        def stage():
            return (previews.api.get("rollouts", "cat-v2").get("status") or {}).get("stage")

        previews.until(lambda: stage() == "awaiting approval", "the pause")
        assert previews.is_routed()
        previews.apply(lane("pr-2"))
        previews.until_phase("Ready", "pr-2")
        previews.delete()
        previews.until_gone()
        store.say(Client.connect(), "demo", "cat-v2", Approve("eva"))
        previews.until(lambda: stage() == "succeeded", "the end of the rollout")
        previews.world.until_ready()
        assert previews.is_routed("pr-2")
        assert not previews.is_routed("pr-42")
    assert "pr-2" not in str(previews.world.object()["spec"])
    for name in ("pr-42", "pr-2"):
        assert never_reached_unready(previews.api, name) > 0


def pod(name, labels):
    metadata = {"name": name, "namespace": "demo", "labels": labels}
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}


@pytest.mark.slow
def test_rollback_goes_back_to_the_spec_without_the_lanes_of_that_time(previews):
    previews.api.put(pod("alice", ALICE))
    with previews.world.controller():
        previews.apply(lane(versions={"mouse": {"labels": {"v": "alice"}}, "cat": {"from": "v1"}}))
        previews.until_phase("Ready")
        previews.world.until_ready()
        found = rollback_target(Client.connect(), "demo", "pets", previews.world.object()["status"]["revision"])
    assert found.spec == groups(parse(GROUP, "graylane.yaml"))[0].spec


@pytest.mark.slow
def test_the_plan_that_a_person_is_shown_keeps_the_lanes(previews):
    """As of `graylane apply --dry-run`, which knows the file alone: the lanes that lie over it stay."""
    with previews.world.controller():
        previews.apply(lane())
        previews.until_phase("Ready")
        previews.world.until_ready()
        wanted = Wanted("pets", "demo", groups(parse(GROUP, "graylane.yaml"))[0].spec)
        noted = []
        prepared = beside.planned(Client.connect(), wanted, noted.append)
    assert (prepared.done, [str(one) for one in prepared.differences], noted) == (True, [], [])
