"""`graylane status` of a group with a LaneGroup object: what the controller says, and when nobody says anything."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from fake_api import RefusedError, deployment
from fake_controller import FINALIZER, owned
from rollout_world import GROUP
from runner_world import NOWHERE, cluster

from meshconfig.cluster import conditions
from meshconfig.cluster.lanegroups import GroupObject
from meshconfig.cluster.status import object as stated_object
from meshconfig.cluster.status import object_state

__all__ = ["cluster"]

NOW = datetime(2026, 1, 2, tzinfo=UTC)
STATUS = ("status", "pets", "-n", "demo", f"--istiod={NOWHERE}")
CHANGE = {"steps": 5, "step": 2, "title": "routes of cat", "waitingFor": ["demo/cat-1"]}


def stated(conditions_, observed=1, **more):
    return {"observedGeneration": observed, "conditions": conditions.written(conditions_, (), observed, NOW), **more}


@pytest.fixture
def run(graylane, cluster, tmp_path):
    """Puts an object with a status into the cluster and asks for the group's; gives exit status and what it prints."""
    cluster.api.put(deployment("dog-prod", {"v": "prod"}))

    def run(status=None, *arguments, applied=True, text=GROUP, **metadata):
        if applied:
            file = tmp_path / "graylane.yaml"
            file.write_text(GROUP)
            assert graylane("apply", "-f", file, f"--istiod={NOWHERE}", "--wait=0", "--drain=0")[0] == 0
        named = {"name": "pets", "namespace": "demo", "finalizers": [FINALIZER], **metadata}
        one = {"apiVersion": "graylane.dev/v1", "kind": "LaneGroup", "metadata": named}
        cluster.api.put({**one, "spec": yaml.safe_load(text)["spec"], **({"status": status} if status else {})})
        code, out, err = graylane(*STATUS, *arguments)
        return code, json.loads(out) if "json" in arguments else out + err

    return run


def test_a_group_that_is_ready_is_well(run):
    ready = stated(conditions.ready("Applied", "at every proxy"), revision=7, lanes=["prod", "gray"])
    code, said = run(ready)
    assert code == 0, said
    assert "object generation 1   revision 7   lanes prod, gray\n" in said
    assert "  Ready (Applied) since 2026-01-02T00:00:00Z: at every proxy\n" in said


def test_a_plan_under_way_is_shown_with_what_it_waits_for(run):
    code, said = run(stated(conditions.reconciling("Applying", "…"), change=CHANGE))
    assert code == 1
    assert (
        "generation 1 of the LaneGroup object is not ready: step 2 of 5 (routes of cat), waiting for demo/cat-1" in said
    )


def test_what_has_stalled_says_why_and_rollouts_over_the_spec_are_named(run):
    code, said = run(stated(conditions.stalled("NoPort", "cat-svc has no port 9001"), rollouts=["cat-v2"]))
    assert code == 1
    assert "generation 1 of the LaneGroup object is stalled (NoPort): cat-svc has no port 9001" in said
    assert "over its spec: rollout cat-v2" in said


def test_json_has_the_object_beside_the_mesh(run):
    status = stated(conditions.reconciling("Applying", "…"), change=CHANGE, revision=3, rollouts=["cat-v2"])
    code, found = run(status, "--output", "json")
    assert code == 1
    assert found["object"]["change"] == CHANGE
    assert found["object"]["rollouts"] == ["cat-v2"]
    assert (found["object"]["generation"], found["object"]["observedGeneration"]) == (1, 1)
    assert {one["type"]: one["status"] for one in found["object"]["conditions"]} == {
        "Ready": False,
        "Reconciling": True,
    }
    assert found["services"]
    assert not found["healthy"]


def test_a_group_without_an_object_has_none_in_json(graylane, cluster, tmp_path):
    file = tmp_path / "graylane.yaml"
    file.write_text(GROUP)
    graylane("apply", "-f", file, f"--istiod={NOWHERE}", "--wait=0", "--drain=0")
    _, out, _ = graylane(*STATUS, "--output", "json")
    found = json.loads(out)
    assert found["object"] is None
    assert found["unread"] == ""


def test_an_object_that_nobody_observes_says_so(run, monkeypatch):
    monkeypatch.setattr(stated_object, "OBSERVED", -1.0)
    code, said = run(applied=False)
    assert code == 1
    assert "group demo/pets" in said
    assert "nobody observes generation 1 of the LaneGroup object: start graylane controller" in said
    assert "the mesh was not read: the group has no revision yet" in said


def test_whoever_may_not_read_the_mesh_sees_the_object(run, cluster):
    def refuse(method, path):
        if method == "GET" and "configmaps" in path and "revision" in path:
            raise RefusedError(403, "Forbidden", "eva may not list configmaps")

    drifted = conditions.Condition("Drifted", True, "Edited", "VirtualService demo/cat-svc by kubectl-edit")
    cluster.api.before.append(refuse)
    code, found = run(stated((*conditions.ready("Applied", ""), drifted)), "--output", "json", applied=False)
    assert code == 1
    assert found["problems"] == ["drift: VirtualService demo/cat-svc by kubectl-edit"]
    assert found["unread"] == "eva may not list configmaps"
    assert found["services"] is None


def test_an_unknown_group_is_reported_as_before(graylane, cluster):
    code, _, err = graylane(*STATUS)
    assert code == 2
    assert "namespace demo has no group pets" in err


@pytest.mark.parametrize(
    ("seconds", "status", "unobserved"),
    [
        (10, {}, False),
        (31, {}, True),
        (31, {"observedGeneration": 2}, False),
        (31, {"observedGeneration": 1}, True),
        # Busy with an earlier generation.
        (31, {"observedGeneration": 1, "change": CHANGE}, False),
    ],
)
def test_nobody_observes_what_is_unobserved_for_longer_than_a_controller_takes(seconds, status, unobserved):
    written = f"{NOW - timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"
    metadata = {
        "name": "pets",
        "namespace": "demo",
        "generation": 2,
        "managedFields": owned("kubectl", time=written),
    }
    one = GroupObject({"metadata": metadata, "spec": {}, "status": status})
    assert object_state(one, NOW).unobserved is unobserved


def test_preview_lanes_are_shown_with_their_end(run, cluster):
    metadata = {"name": "pr-42", "namespace": "demo"}
    spec = {"group": "pets", "versions": {"cat": {"from": "v1"}}}
    status = stated(
        conditions.reconciling("Pods", "0 of 1 Pods are ready"), phase="Pending", expires="2026-01-03T00:00:00Z"
    )
    one = {"apiVersion": "graylane.dev/v1", "kind": "Lane", "metadata": metadata, "spec": spec, "status": status}
    other = {**one, "metadata": {**metadata, "name": "pr-1"}, "spec": {**spec, "group": "others"}}
    cluster.api.put(one, other)
    code, said = run(stated(conditions.ready("Applied", "at every proxy")))
    assert code == 0, said
    assert "preview pr-42 Pending   until 2026-01-03T00:00:00Z   0 of 1 Pods are ready\n" in said
    assert "pr-1" not in said.replace("pr-42", "")
    _, found = run(stated(conditions.ready("Applied", "at every proxy")), "--output", "json", applied=False)
    assert found["previews"] == [
        {"name": "pr-42", "phase": "Pending", "expires": "2026-01-03T00:00:00Z", "link": None,
         "message": "0 of 1 Pods are ready"}
    ]  # fmt: skip
