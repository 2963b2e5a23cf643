"""What keeps a rollout from starting, and an apply from coming in between."""

import json

import pytest
from fake_api import deployment, service
from rollout_world import GROUP, group, rollout
from runner_world import cluster, mesh

from meshconfig.errors import ClusterError, InputError
from meshconfig.rollout.state import Phase, Stage

__all__ = ["cluster", "mesh"]

SHORT = [{"weight": 10}, {"pause": {}}, {"weight": 100}]


def named(plan, name):
    return plan.model_copy(update={"metadata": plan.metadata.model_copy(update={"name": name})})


def test_it_waits_for_a_controller(mesh):
    started = mesh.start(rollout(SHORT))
    assert (started.record.state.phase, started.superseded) == (Phase.PENDING, ())
    assert mesh.object()["status"]["phase"] == "Pending"


def test_a_group_that_was_never_applied(cluster):
    with pytest.raises(ClusterError, match="group demo/pets is not in the cluster: run graylane apply first"):
        cluster.start(rollout(SHORT))


def test_a_group_whose_last_apply_failed(mesh):
    revision = mesh.api.get("configmaps", "graylane-pets-r1")
    revision["data"]["outcome"] = "failed"
    with pytest.raises(
        ClusterError, match=r"\(revision 1, apply\) is failed: wait for it, or run graylane apply again"
    ):
        mesh.start(rollout(SHORT))


def test_what_does_not_fit_the_group_is_told_with_its_place(mesh):
    plan = rollout(SHORT, services={"cat": {"from": "v2", "to": "v1"}})
    with pytest.raises(
        InputError, match=r"cat-v2.yaml:1: spec.services.cat.from: untagged requests to cat get v1, not v2"
    ):
        mesh.start(plan)


def test_a_version_without_a_deployment(mesh):
    del mesh.api.objects["deployments", "demo", "mouse-v2"]
    with pytest.raises(ClusterError, match="there is no Deployment demo/mouse-v2, for v2 of mouse"):
        mesh.start(rollout(SHORT))


def test_one_that_is_active_already(mesh):
    mesh.start(rollout(SHORT))
    with pytest.raises(ClusterError, match="rollout demo/cat-v2 is Pending already: end it by graylane rollout abort"):
        mesh.start(rollout(SHORT))


def test_one_at_a_time_changes_a_group(mesh):
    mesh.start(rollout(SHORT, services={"cat": {"from": "v1", "to": "v2"}}))
    other = rollout(SHORT, services={"mouse": {"from": "v1", "to": "v2"}})
    with pytest.raises(ClusterError, match="rollout cat-v2 of group pets is Pending, and one at a time may change"):
        mesh.start(named(other, "mouse-v2"))


def test_one_that_retires_the_old_version_is_not_superseded(mesh):
    mesh.start(rollout(SHORT[:1] + SHORT[2:], keepOld="0s"))
    mesh.run(until=lambda state: state.stage is Stage.RETIRE)
    with pytest.raises(ClusterError, match="from where there is no way back; wait for its end"):
        mesh.start(named(rollout(SHORT), "again"))


def test_a_group_that_was_changed_before_it_was_taken_up_ends_it_without_a_change(mesh):
    mesh.start(rollout(SHORT))
    stored = mesh.api.objects.pop(("rollouts", "demo", "cat-v2"))
    changed = group(GROUP.replace("cat: v1, mouse: v1", "cat: v2, mouse: v1"))
    mesh.apply(changed)
    mesh.api.put(stored)
    before = mesh.routes()
    assert mesh.run().phase is Phase.ROLLED_BACK
    assert "untagged requests to cat get v2, not v1" in mesh.state().why
    assert mesh.routes() == before


def test_while_a_rollout_is_active_nobody_else_changes_its_group(mesh):
    mesh.start(rollout(SHORT))
    before = mesh.routes()
    changed = group(GROUP.replace("cat: v1, mouse: v1", "cat: v2, mouse: v1"))
    with pytest.raises(
        ClusterError, match="rollout cat-v2 of group demo/pets is Pending; wait for its end, or: graylane"
    ):
        mesh.apply(changed)
    assert mesh.routes() == before
    mesh.api.put(*[service(f"{name}-bird") for name in ("cat", "mouse", "dog")])
    mesh.apply(another_group(changed))


def another_group(spec):
    """Of other services."""
    text = json.dumps(spec.model_dump(by_alias=True, exclude_unset=True, mode="json"))
    text = text.replace('"pets"', '"birds"').replace("-svc", "-bird").replace("cat.example.com", "bird.example.com")
    return type(spec).model_validate_json(text)


def test_an_old_deployment_that_another_version_has_too_stays(mesh):
    shared = GROUP.replace("v1: {labels: {v: v1}}", "v1: {labels: {v: v1}, workload: both}").replace(
        "v2: {labels: {v: v2}}}}\n    dog", "v2: {labels: {v: v2}, workload: both}}}\n    dog"
    )
    mesh.api.put(deployment("both", {"v": "v1"}, 2))
    mesh.apply(group(shared))
    mesh.start(rollout(SHORT[:1] + SHORT[2:], services={"cat": {"from": "v1", "to": "v2"}}, keepOld="0s"))
    assert mesh.run().phase is Phase.SUCCEEDED
    assert mesh.api.get("deployments", "both")
    assert [line for line in mesh.said if "stays" in line] == [
        "Deployment demo/both stays: it is that of mouse v1 and mouse v2, too"
    ]
