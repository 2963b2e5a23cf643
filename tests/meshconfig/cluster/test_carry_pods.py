"""Which version a Pod is, while Pods come and go."""

from typing import Any

from rollout_world import group
from runner_world import cluster, mesh

from meshconfig.carry import Workload
from meshconfig.cluster.carry_pods import REFRESH, PodVersions, groups_of

__all__ = ["cluster", "mesh"]

CAT = Workload("cat", "v2")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def pod(name: str, **labels: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "demo", "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}}


def labelled(mesh: Any) -> None:
    for name in ("cat", "mouse", "dog"):
        service = mesh.api.get("services", f"{name}-svc")
        mesh.api.put({**service, "kind": "Service", "spec": {**service["spec"], "selector": {"app": name}}})


def readings(mesh: Any) -> int:
    return sum(1 for method, url in mesh.api.seen if method == "GET" and url.startswith("/api/v1/namespaces/demo/pods"))


def test_a_pod_that_comes_later_is_found_and_one_that_ended_is_still_known(mesh: Any) -> None:
    labelled(mesh)
    mesh.api.put(pod("a", app="cat", v="v2"))
    clock = Clock()
    pods = PodVersions(mesh.client, group(), clock)
    assert pods.find("demo/a") == CAT
    del mesh.api.objects["pods", "demo", "a"]
    mesh.api.put(pod("b", app="cat", v="v2"))
    assert pods.find("demo/b") is None  # too soon to read again
    clock.now = REFRESH
    assert pods.find("demo/b") == CAT
    assert pods.find("demo/a") == CAT


def test_pods_of_others_cause_no_reading(mesh: Any) -> None:
    labelled(mesh)
    mesh.api.put(pod("x", app="other", v="v2"))
    clock = Clock()
    pods = PodVersions(mesh.client, group(), clock)
    before = readings(mesh)
    for number in range(5):
        clock.now = REFRESH * (number + 1)
        assert pods.find("demo/x") is pods.find("elsewhere/y") is None
    assert readings(mesh) == before
    for _ in range(5):
        pods.find("demo/unknown")
    assert readings(mesh) == before + 1


def test_the_groups_are_those_that_were_applied_last(mesh: Any) -> None:
    assert [one.metadata.name for one in groups_of(mesh.client, "demo")] == ["pets"]
