"""What a person sees who applies, changes and deletes Lanes while a controller works."""

from preview_world import IMAGE, cron_job, lane, previews, world

__all__ = ["previews", "world"]
CLONE = "cat-pr-42"


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


def test_its_end_takes_routes_then_pods_then_the_object(previews):
    with previews.world.controller():
        previews.apply(lane())
        previews.until_phase("Ready")
        gone = []
        previews.api.before.append(
            lambda method, url: gone.append((previews.is_routed(), "pr-42" in previews.subsets()))
            if method == "DELETE" and CLONE in url
            else None
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
