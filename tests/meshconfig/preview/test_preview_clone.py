"""The clone of any Deployment: the lane's Pods and nobody else's, in the one container that is meant."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshconfig.preview.clone import Cloned, CloneError, LaneIdentity, check_neighbours, clone, is_made_of
from meshconfig.preview.hooks import job, job_name, outcome
from meshconfig.spec.preview import PreviewVersion, version_labels

LANE = LaneIdentity("pr-42", "pets", "uid-1", "demo")
KEYS, VALUES = ("app", "version", "track", "team"), ("cat", "prod", "gray", "stable")
LABELS = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=4)


def version(**more):
    return PreviewVersion.model_validate({"from": "prod", **more})


def container(name, image, **more):
    return {"name": name, "image": image, **more}


def source(labels, *containers, **spec):
    template = {
        "metadata": {"labels": labels, "annotations": {"kubectl.kubernetes.io/restartedAt": "x", "own": "1"}},
        "spec": {"serviceAccountName": "cat", "containers": list(containers or [container("app", "shop/cat:1")])},
    }
    metadata = {
        "name": "cat-prod",
        "namespace": "demo",
        "uid": "u",
        "labels": {"app.kubernetes.io/instance": "shop"},
        "annotations": {"argocd.argoproj.io/tracking-id": "shop"},
    }
    spec = {"replicas": 7, "selector": {"matchLabels": labels}, "template": template, "paused": True, **spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": spec,
        "status": {"replicas": 7},
    }


def wish(one=None, *, old=None, others=None, selector=None, target=None):
    old = old or {"version": "prod"}
    return Cloned(LANE, "cat-pr-42", "cat", one or version(), old, others or {}, selector or {}, 9001, target)


@given(LABELS, LABELS, LABELS, st.dictionaries(st.sampled_from(("gray", "blue")), LABELS, max_size=2))
def test_a_clone_is_behind_its_service_and_counts_as_no_other_version(extra, old, selector, others):
    old = old or {"version": "prod"}
    labels = {**extra, **selector, **old}
    selector = {name: labels[name] for name in selector}
    given_source = source(labels)
    before = deepcopy(given_source)
    every = {"prod": old, **others}
    try:
        made = clone(given_source, wish(old=old, others=every, selector=selector))
    except CloneError:  # a version has no label but those that the Service selects by
        fixed = {**extra, **selector}
        assert any(all(fixed.get(name, one[name]) == one[name] for name in one) for one in every.values() if one)
        return
    assert given_source == before
    pods = made["spec"]["template"]["metadata"]["labels"]
    assert selector.items() <= pods.items()
    assert made["spec"]["selector"]["matchLabels"] == version_labels("pr-42", "cat")
    assert made["spec"]["selector"]["matchLabels"].items() <= pods.items()
    assert not any(one and one.items() <= pods.items() for one in every.values())


def test_a_clone_has_nothing_that_a_tool_knows_its_original_by():
    made = clone(source({"app": "cat", "version": "prod"}), wish(version(replicas=2)))
    assert made["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "graylane",
        "graylane.dev/group": "pets",
        **version_labels("pr-42", "cat"),
    }
    own = {"lane-uid", "lane-namespace", "lane-version"}
    assert set(made["metadata"]["annotations"]) == {f"graylane.dev/{name}" for name in own}
    assert set(made) == {"apiVersion", "kind", "metadata", "spec"}
    assert set(made["spec"]) == {"replicas", "selector", "strategy", "template"}
    assert made["spec"]["replicas"] == 2
    assert made["spec"]["template"]["metadata"]["annotations"] == {"own": "1"}
    assert made["spec"]["template"]["spec"]["serviceAccountName"] == "cat"
    assert LANE.owns(made)
    later, elsewhere = (LaneIdentity("pr-42", "pets", "uid-2", place) for place in ("demo", "other"))
    assert not later.owns(made)
    assert later.follows(made)
    assert not elsewhere.follows(made)


@pytest.mark.parametrize(
    ("given", "surge"),
    [
        (None, 1),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}, 1),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%", "maxSurge": "0%"}}, 1),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "50%"}}, "50%"),
    ],
)
def test_the_pods_of_a_clone_go_only_after_those_of_its_next_image_are_ready(given, surge):
    made = clone(source({"version": "prod"}, **({"strategy": given} if given else {})), wish())
    assert made["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 0, "maxSurge": surge},
    }


def test_pods_that_must_not_run_beside_each_other_do_not_as_a_clone_either():
    made = clone(source({"version": "prod"}, strategy={"type": "Recreate"}), wish())
    assert made["spec"]["strategy"] == {"type": "Recreate"}


def test_a_clone_is_made_anew_only_for_another_version():
    made = clone(source({"version": "prod"}), wish(version(image="cat:1", env={"A": "1", "B": "2"})))
    assert is_made_of(made, version(image="cat:1", env={"A": "1", "B": "2"}))
    assert not is_made_of(made, version(image="cat:2", env={"A": "1", "B": "2"}))
    assert not is_made_of(made, version(image="cat:1", env={"A": "1", "B": "2"}, replicas=2))


def test_variables_are_replaced_where_they_stand_and_added_behind():
    one = container("app", "cat:1", env=[{"name": "A", "valueFrom": {"secretKeyRef": {}}}, {"name": "B", "value": "b"}])
    made = clone(source({"version": "prod"}, one), wish(version(env={"C": "3", "A": "1"})))
    (found,) = made["spec"]["template"]["spec"]["containers"]
    assert found["env"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "b"}, {"name": "C", "value": "3"}]


PROXY = container("proxy", "envoy:1", ports=[{"name": "http", "containerPort": 8080}])


@pytest.mark.parametrize(
    ("containers", "image", "target"),
    [
        ([container("app", "shop/cat:1"), PROXY], "shop/cat:2", None),
        ([container("cat", "other:1"), PROXY], "shop/cat:2", None),
        ([container("a", "x", ports=[{"containerPort": 9001}]), PROXY], "shop/cat:2", None),
        ([container("a", "x", ports=[{"name": "web", "containerPort": 1}]), PROXY], "shop/cat:2", "web"),
        ([container("a", "x", ports=[{"containerPort": 7}]), PROXY], "shop/cat:2", 7),
    ],
)
def test_of_several_containers_the_one_that_runs_the_service_gets_the_image(containers, image, target):
    made = clone(source({"version": "prod"}, *containers), wish(version(image=image), target=target))
    assert [one["image"] for one in made["spec"]["template"]["spec"]["containers"]] == [image, "envoy:1"]


def test_which_container_is_not_guessed():
    two = [container("a", "x:1"), container("b", "y:1")]
    with pytest.raises(CloneError, match=r"which container of cat prod runs the service\?.*a \(x:1\); b \(y:1\)"):
        clone(source({"version": "prod"}, *two), wish(version(image="z:1")))


def test_an_autoscaler_that_would_count_the_pods_stops_the_clone():
    given_source = source({"app": "cat"})
    given_source["spec"]["template"]["metadata"]["labels"] = {"app": "cat", "version": "prod"}
    made = clone(given_source, wish(selector={"app": "cat"}))
    scaler = {"metadata": {"name": "cat"}, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "cat-prod"}}}
    check_neighbours(given_source, made, [], [], [])
    with pytest.raises(CloneError, match="HorizontalPodAutoscaler cat would count"):
        check_neighbours(given_source, made, [], [], [scaler])
    narrow = source({"app": "cat", "version": "prod"})
    check_neighbours(narrow, clone(narrow, wish(selector={"app": "cat"})), [], [], [scaler])


def cron_job(**spec):
    pod = {"containers": [container("run", "x", env=[{"name": "GRAYLANE_LANE", "value": "other"}])]}
    template = {"spec": {"ttlSecondsAfterFinished": 0, "template": {"spec": pod}, **spec}}
    return {"metadata": {"name": "schema", "namespace": "demo"}, "spec": {"jobTemplate": template}}


def test_a_hook_knows_its_lane_and_outlives_nobody_who_asks_for_it():
    before, after = (job(cron_job(suspend=True), LANE, when) for when in ("before", "after"))
    assert "ttlSecondsAfterFinished" not in before["spec"]
    assert after["spec"]["ttlSecondsAfterFinished"] == 86_400
    assert "suspend" not in before["spec"]
    env = before["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {one["name"]: one["value"] for one in env} == {
        "GRAYLANE_LANE": "pr-42",
        "GRAYLANE_GROUP": "pets",
        "GRAYLANE_HOOK": "before",
    }
    assert LANE.owns(before)


@given(st.integers(1, 57), st.text(min_size=1, max_size=40))
def test_the_name_of_a_hook_is_a_label_of_its_lane_object_alone(length, uid):
    name = "a-" * (length // 2) + "b"
    found = job_name(LaneIdentity(name, "pets", uid, "demo"), "before")
    assert len(found) <= 63
    assert found != job_name(LaneIdentity(name, "pets", uid + "x", "demo"), "before")
    assert found != job_name(LaneIdentity(name, "pets", uid, "demo"), "after")


def test_a_job_has_ended_when_kubernetes_says_so():
    def said(kind, status="True"):
        return outcome({"status": {"conditions": [{"type": kind, "status": status, "message": "why"}]}})

    assert not outcome({}).ended
    assert not said("SuccessCriteriaMet").ended
    assert not said("Complete", "False").ended
    assert (said("Complete").ended, said("Complete").failed) == (True, False)
    assert (said("Failed").failed, said("Failed").why) == (True, "why")
