"""A Deployment like another one, and when its Pods count as ready: on plain values."""

import copy

import pytest
import yaml
from stand_in import StandIn

from meshconfig.cluster.objects import Key
from meshconfig.cluster.workloads.clone import Wish, clone, mentions, overlaps
from meshconfig.cluster.workloads.live import NotReadyError, check_free, progress, reason, scaled, wait
from meshconfig.errors import ClusterError

LIVE = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: cat-v1
  namespace: demo
  uid: 1b
  resourceVersion: "7"
  generation: 3
  creationTimestamp: 2026-01-01T00:00:00Z
  managedFields: [{manager: helm}]
  ownerReferences: [{kind: App, name: x}]
  labels: {app: cat, version: v1, team: pets, app.kubernetes.io/managed-by: Helm}
  annotations:
    deployment.kubernetes.io/revision: "4"
    meta.helm.sh/release-name: cat
    argocd.argoproj.io/tracking-id: x
    owner: alice
spec:
  replicas: 4
  minReadySeconds: 3
  selector: {matchLabels: {app: cat, version: v1}}
  template:
    metadata:
      creationTimestamp: null
      labels: {app: cat, version: v1, team: pets}
      annotations: {kubectl.kubernetes.io/restartedAt: "2026", sidecar.istio.io/inject: "true"}
    spec:
      containers:
        - name: app
          image: cat:1
          args: [--env=v1, --size=1]
          env: [{name: ENV, value: v1}]
          ports: [{containerPort: 9001}]
status: {replicas: 4, readyReplicas: 4, observedGeneration: 3}
"""
MARKS = {"app.kubernetes.io/managed-by": "graylane", "graylane.dev/group": "pets"}


def live(**metadata):
    found = yaml.safe_load(LIVE)
    found["metadata"] |= metadata
    return found


def wish(**other):
    given = {"name": "cat-v2", "service": "cat", "port": 9001, "old": {"version": "v1"}, "labels": {"version": "v2"}}
    return Wish(**{**given, "image": "cat:2", "marks": MARKS, **other})


def test_a_clone_is_the_old_one_with_its_own_name_labels_and_image_and_nothing_of_the_servers():
    before = live()
    made = clone(before, wish())
    assert made["metadata"] == {
        "name": "cat-v2",
        "namespace": "demo",
        "labels": {"app": "cat", "version": "v2", "team": "pets", **MARKS},
        "annotations": {"owner": "alice"},
    }
    spec = made["spec"]
    assert made.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert spec["selector"] == {"matchLabels": {"app": "cat", "version": "v2"}}
    assert spec["template"]["metadata"] == {
        "labels": {"app": "cat", "team": "pets", "version": "v2"},
        "annotations": {"sidecar.istio.io/inject": "true"},
    }
    assert (spec["replicas"], spec["minReadySeconds"]) == (4, 3)
    expected = copy.deepcopy(before["spec"]["template"]["spec"])
    expected["containers"][0]["image"] = "cat:2"
    assert spec["template"]["spec"] == expected
    assert before == live()  # not touched


def test_replicas_are_the_old_ones_unless_said_or_an_autoscalers():
    assert clone(live(), wish(replicas=2))["spec"]["replicas"] == 2
    assert "replicas" not in clone(live(), wish(scaled=True))["spec"]
    assert clone(live(), wish(scaled=True, replicas=2))["spec"]["replicas"] == 2


def test_a_selector_without_the_label_gets_it_and_the_overlap_is_told():
    before = live()
    before["spec"]["selector"] = {
        "matchLabels": {"app": "cat"},
        "matchExpressions": [{"key": "version", "operator": "Exists"}, {"key": "team", "operator": "Exists"}],
    }
    made = clone(before, wish())
    assert made["spec"]["selector"] == {
        "matchLabels": {"app": "cat", "version": "v2"},
        "matchExpressions": [{"key": "team", "operator": "Exists"}],
    }
    before["spec"]["selector"].pop("matchExpressions")
    assert overlaps(before, made)
    assert not overlaps(live(), clone(live(), wish()))


@pytest.mark.parametrize(
    ("containers", "chosen"),
    [
        ([{"name": "x"}], "x"),
        ([{"name": "proxy", "ports": [{"containerPort": 9001}]}, {"name": "cat"}], "cat"),
        ([{"name": "a"}, {"name": "b", "ports": [{"containerPort": 9001}]}], "b"),
    ],
)
def test_the_image_is_that_of_the_container_that_runs_the_service(containers, chosen):
    before = live()
    before["spec"]["template"]["spec"]["containers"] = containers
    images = {one["name"]: one.get("image") for one in clone(before, wish())["spec"]["template"]["spec"]["containers"]}
    assert {name for name, image in images.items() if image == "cat:2"} == {chosen}


def test_a_container_that_is_not_told_is_an_error_that_lists_them():
    before = live()
    before["spec"]["template"]["spec"]["containers"] = [{"name": "a", "image": "i:1"}, {"name": "b"}]
    with pytest.raises(ClusterError, match=r"which container runs cat\?.*: a \(i:1\); b \(no image\)"):
        clone(before, wish())


def test_what_still_names_the_old_version_is_told():
    assert mentions(clone(live(), wish()), wish()) == ["app: args --env=v1", "app: env ENV=v1"]
    assert mentions(clone(live(), wish()), wish(old={"version": "other"})) == []


class Cluster(StandIn):
    """A client that answers from a list of Deployments, one after the other, and of Pods."""

    def __init__(self, *deployments, pods=(), autoscalers=()):
        self.deployments, self.pods, self.autoscalers = list(deployments), pods, autoscalers

    def get(self, where):
        assert where == "/apis/apps/v1/namespaces/demo/deployments/cat-v1"
        return self.deployments.pop(0) if len(self.deployments) > 1 else self.deployments[0]

    def list_resources(self, kind, namespace, selector=""):
        return {"Pod": self.pods, "HorizontalPodAutoscaler": self.autoscalers}[kind]


NAME = Key("Deployment", "demo", "cat-v1")


def at(*, ready, updated=4, observed=3, replicas=4, conditions=()):
    status = {
        "replicas": replicas,
        "readyReplicas": ready,
        "updatedReplicas": updated,
        "observedGeneration": observed,
    }
    return {**live(), "status": {**status, "conditions": list(conditions)}}


@pytest.mark.parametrize(
    ("found", "ready"),
    [
        (at(ready=4), 4),
        (at(ready=3), 3),
        (at(ready=4, updated=1), 1),
        (at(ready=4, updated=1, replicas=5), 0),
        (at(ready=1, updated=1, replicas=2), 0),
        (at(ready=5, updated=2, replicas=6), 1),
        (at(ready=0, updated=0), 0),
        (at(ready=4, observed=2), 0),
        ({**live(), "status": {}}, 0),
    ],
)
def test_ready_are_those_of_the_current_template(found, ready):
    assert (progress(found).ready, progress(found).wanted) == (ready, 4)


def test_waiting_ends_when_all_are_ready_and_tells_of_each_step(monkeypatch):
    monkeypatch.setattr("meshconfig.cluster.workloads.live.POLL", 0)
    told = []
    client = Cluster(at(ready=0, updated=0), at(ready=4, observed=2), at(ready=2), at(ready=4))
    assert wait(client, NAME, 60, told.append).ready == 4
    assert [one.ready for one in told] == [0, 0, 2, 4]


WAITING = {"name": "app", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no cat:2"}}}


def test_waiting_ends_in_time_with_what_keeps_a_pod():
    pods = [{"metadata": {"name": "cat-v1-x"}, "status": {"containerStatuses": [WAITING]}}]
    said = "1 of 4 Pods of Deployment demo/cat-v1 ready after 0 s: Pod cat-v1-x: ImagePullBackOff: no cat:2"
    with pytest.raises(NotReadyError) as error:
        wait(Cluster(at(ready=1), pods=pods), NAME, 0)
    assert str(error.value) == said
    with pytest.raises(NotReadyError, match="was deleted while its Pods were waited for"):
        wait(Cluster(None), NAME, 0)


def test_a_quota_is_told_by_the_deployments_condition():
    condition = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}
    assert reason(Cluster(), at(ready=0, conditions=[condition])) == "exceeded quota"


def test_an_autoscaler_is_known_by_its_target():
    target = {"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "cat-v1"}}}
    assert scaled(Cluster(autoscalers=[target]), NAME)
    assert not scaled(Cluster(autoscalers=[{"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "x"}}}]), NAME)


def test_a_name_that_is_taken_is_refused_and_one_of_an_earlier_try_is_not():
    check_free(Cluster(None), live(), "pets")
    check_free(Cluster(live(labels=MARKS)), live(), "pets")
    with pytest.raises(ClusterError, match="exists already and is not graylane's"):
        check_free(Cluster(live()), live(), "pets")
    with pytest.raises(ClusterError, match="exists already and is group pets's"):
        check_free(Cluster(live(labels=MARKS)), live(), "others")
