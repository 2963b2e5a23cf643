"""A lane that is ready stays so until something disproves it; and what its end cannot reach is not forgotten."""

from dataclasses import replace

import pytest
from controller_world import SETTINGS, changed, document
from fake_api import RefusedError, deployment, service
from preview_world import IMAGE, lane, previews, world

__all__ = ["previews", "world"]
CLONE = "cat-pr-42"
ELSEWHERE = replace(SETTINGS, allowed=frozenset(["other"]))


def phases(previews, since=0):
    """What the status of the lane was, as (phase, status of Ready), each once."""
    found = [one["status"] for version, _, key, one in previews.api.events if key[0] == "lanes" and version > since]
    return {(one["phase"], *(each["status"] for each in one["conditions"] if each["type"] == "Ready")) for one in found}


def invalid(spec):
    spec["baseline"] = "nope"


def test_a_ready_lane_stays_so_while_its_group_is_not_valid_and_over_a_restart(previews):
    with previews.world.controller():
        previews.apply(lane())
        previews.until_phase("Ready")
        version = previews.api.version
        previews.world.apply(changed(document(), invalid))
        previews.until(lambda: "; LaneGroup pets: " in previews.condition()["message"], "what hinders changes")
    previews.world.apply(document())
    with previews.world.controller():
        previews.until(lambda: "LaneGroup" not in previews.condition()["message"], "the lane's look")
        previews.world.until_ready()
    assert phases(previews, version) == {("Ready", "True")}
    assert previews.is_routed()


@pytest.mark.slow
def test_a_restart_writes_nothing_about_a_ready_lane(previews):
    with previews.world.controller():
        previews.apply(lane())
        previews.until_phase("Ready")
        previews.until_quiet()
    version = previews.api.version
    with previews.world.controller():
        previews.until_quiet()
        previews.until_quiet()
    assert [one for one in previews.api.events if one[0] > version and one[2][0] == "lanes"] == []


def fails(previews, fragment, status=500, reason="InternalError"):
    """Has the server answer so where somebody reads what has this in its path."""

    def fail(method, path):
        if method == "GET" and fragment in path and "watch" not in path:
            raise RefusedError(status, reason, "etcdserver: leader changed")

    previews.api.before.append(fail)
    return fail


def touch(previews):
    previews.api.put({**previews.api.get("deployments", CLONE), "kind": "Deployment"})


@pytest.mark.slow
def test_an_error_of_the_server_says_nothing_against_a_ready_lane_but_its_pods_do(previews):
    with previews.world.controller():
        previews.apply(lane())
        previews.until_phase("Ready")
        fail = fails(previews, "/deployments")
        version = previews.api.version
        touch(previews)
        previews.until(lambda: "leader changed" in previews.condition()["message"], "the error")
        assert phases(previews, version) == {("Ready", "True")}
        previews.api.before.remove(fail)
        previews.world.apply(changed(document(), invalid))
        previews.until(lambda: "LaneGroup" in previews.condition()["message"], "what hinders changes")
        with previews.api.lock:
            one = previews.api.get("deployments", CLONE)
            previews.api.stuck.add(IMAGE)
            previews.api.put({**one, "kind": "Deployment", "status": {}})
        previews.until_phase("Pending")


def test_an_error_at_a_new_generation_is_no_readiness_of_it(previews):
    with previews.world.controller():
        previews.apply(lane())
        previews.until_phase("Ready")
        fails(previews, "/deployments")
        previews.apply(lane(versions={"cat": {"from": "v1", "image": "shop/cat:2"}}))
        previews.until_phase("Pending")
    assert previews.condition()["type"] == "Reconciling"


def has_pods_elsewhere(previews):
    """A lane with Pods in a namespace that the controller may change, and the next one may not."""
    api = previews.api
    host = "cat-svc.other.svc.cluster.local"
    api.put(service("cat-svc", namespace="other"))
    api.put(*(deployment(f"cat-{name}", {"v": name}, namespace="other") for name in ("v1", "v2")))
    previews.world.apply(changed(document(), lambda spec: spec["services"]["cat"].update(host=host)))
    with previews.world.controller(settings=ELSEWHERE):
        previews.apply(lane())
        previews.until_phase("Ready")
        assert previews.status()["namespaces"] == ["other"]
    previews.world.apply(document())


@pytest.mark.slow
def test_pods_where_the_controller_may_not_go_any_more_hold_up_the_end(previews):
    api = previews.api
    has_pods_elsewhere(previews)
    with previews.world.controller():
        previews.delete()
        previews.until_because("NotAllowed")
    assert previews.condition()["message"] == (
        "its Pods in namespace other may be left; to have them deleted: graylane controller --allow-namespace other"
    )
    assert api.get("deployments", CLONE, "other")
    with previews.world.controller(settings=ELSEWHERE):
        previews.until_gone()
    assert api.get("deployments", CLONE, "other") is None


@pytest.mark.slow
def test_pods_that_go_with_their_namespace_hold_up_no_end(previews):
    has_pods_elsewhere(previews)
    previews.api.ending.add("other")
    with previews.world.controller():
        previews.delete()
        previews.until_gone()


@pytest.mark.slow
def test_what_cannot_be_read_is_not_taken_for_gone(previews):
    has_pods_elsewhere(previews)
    previews.api.ending.add("other")
    fails(previews, "/api/v1/namespaces/other", 403, "Forbidden")
    with previews.world.controller():
        previews.delete()
        previews.until_because("NotAllowed")
