"""Who hears of a rollout: Events on the new versions' Deployments, webhooks, and the metrics."""

import base64
import json

from canned import answering
from rollout_world import rollout
from runner_world import Patient, cluster, mesh

from meshconfig.rollout.events import Abort, Approve
from meshconfig.rollout.notify import signature
from meshconfig.rollout.runner.secrets import ANNOTATION
from meshconfig.rollout.state import Phase, Stage

__all__ = ["cluster", "mesh"]

STRAIGHT = [{"weight": 50}, {"weight": 100}]


def put_secret(mesh, prefix, **keys):
    """A Secret `s` that is for URLs below a prefix; for none where it is None."""
    metadata = {"name": "s", "namespace": "demo"} | (
        {"annotations": {ANNOTATION: prefix}} if prefix is not None else {}
    )
    data = {name: base64.b64encode(value).decode() for name, value in keys.items()}
    mesh.api.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})


def events(mesh, of):
    found = [one for (kind, _, _), one in mesh.api.objects.items() if kind == "events"]
    found = [one for one in found if one["involvedObject"]["name"] == of]
    return sorted(found, key=lambda one: int(one["metadata"]["name"].rpartition("-")[2]))


def test_each_transition_is_an_event_on_both_new_deployments(mesh):
    mesh.start(rollout(STRAIGHT, keepOld=None))
    assert mesh.run(stop=Patient()).phase is Phase.SUCCEEDED
    for name in ("cat-v2", "mouse-v2"):
        found = events(mesh, name)
        uid = mesh.api.get("deployments", name)["metadata"]["uid"]
        assert {one["involvedObject"]["uid"] for one in found} == {uid}
        assert [one["reason"] for one in found[-3:]] == ["RolloutPodsReady", "RolloutWeight100", "RolloutTakenOver"]
        assert {one["type"] for one in found} == {"Normal"}
    said = found[-1]["message"]
    assert said == "rollout cat-v2: taken over by graylane; now Succeeded (succeeded), weight 100"


def test_a_way_back_is_a_warning(mesh):
    mesh.start(rollout([{"weight": 50}, {"pause": {}}, {"weight": 100}]))
    mesh.run(until=lambda state: state.stage is Stage.APPROVAL)
    mesh.say(Abort("bob", "not today"))
    mesh.run(stop=Patient())
    (warning,) = [one for one in events(mesh, "cat-v2") if one["type"] == "Warning" and "by bob" in one["message"]]
    assert warning["reason"] == "RolloutAbort"
    assert "abort by bob: not today; now Degraded" in warning["message"]


def test_a_webhook_gets_each_entry_once_and_signed(mesh):
    with answering((200, "")) as hook:
        put_secret(mesh, hook.url, hook=b"of ours")
        told = [{"url": hook.url, "secretRef": {"name": "s", "key": "hook"}}]
        mesh.start(rollout(STRAIGHT, keepOld=None, notify=told))
        state = mesh.run(stop=Patient())
    assert state.phase is Phase.SUCCEEDED
    numbers = [json.loads(body)["data"]["number"] for _, _, _, body in hook.seen]
    assert numbers == list(range(1, state.log[-1].number + 1))
    for _, _, headers, body in hook.seen:
        expected = signature(b"of ours", headers["webhook-id"], headers["webhook-timestamp"], body)
        assert headers["webhook-signature"] == expected


def test_what_was_to_be_signed_is_not_sent_without_its_secret(mesh):
    with answering((200, "")) as hook:
        told = [{"url": hook.url, "secretRef": {"name": "missing"}}]
        mesh.start(rollout(STRAIGHT, keepOld=None, notify=told))
        assert mesh.run(stop=Patient()).phase is Phase.SUCCEEDED
    assert hook.seen == []
    assert any("there is no Secret demo/missing" in line for line in mesh.said)


def test_a_webhook_that_is_down_holds_neither_the_rollout_nor_its_events_up(mesh):
    mesh.start(rollout(STRAIGHT, keepOld=None, notify=[{"url": "http://127.0.0.1:1"}]))

    def over(state):
        return state.stage is Stage.SUCCEEDED and events(mesh, "mouse-v2")[-1]["reason"] == "RolloutTakenOver"

    assert mesh.run(until=over, stop=Patient()).phase is Phase.SUCCEEDED


def test_the_metrics_count_what_happened_whoever_did_it(mesh):
    mesh.start(rollout([{"weight": 50}, {"pause": {}}, {"weight": 100}], keepOld=None))
    mesh.run(
        until=lambda state: state.told and state.stage is Stage.APPROVAL and state.told == len(state.log),
        stop=Patient(),
    )
    mesh.say(Approve("bob"))
    mesh.run(stop=Patient())
    value = mesh.metrics.registry.get_sample_value
    labels = {"namespace": "demo", "name": "cat-v2"}
    assert value("graylane_rollout_transitions_total", {**labels, "action": "pods ready"}) == 2
    assert value("graylane_rollout_transitions_total", {**labels, "action": "taken over"}) == 1
    assert value("graylane_rollout_transitions_total", {**labels, "action": "approve"}) == 1
