"""Who hears of a rollout: Events on it and on the new versions' Deployments, webhooks, and the metrics."""

import base64
import json
import shlex

import pytest
from canned import answering
from rollout_world import rollout
from runner_world import Patient, cluster, mesh
from standardwebhooks import Webhook as Library

from meshconfig.exchange.urls import covers, parse_url
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


def events(mesh, kind, of):
    found = [one for (plural, _, _), one in mesh.api.objects.items() if plural == "events"]
    found = [one for one in found if (one["involvedObject"]["kind"], one["involvedObject"]["name"]) == (kind, of)]
    return sorted(found, key=lambda one: int(one["metadata"]["name"].rpartition("-")[2]))


def test_each_transition_is_an_event_on_the_rollout_and_on_both_new_deployments(mesh):
    mesh.start(rollout(STRAIGHT, keepOld=None))
    assert mesh.run(stop=Patient()).phase is Phase.SUCCEEDED
    for kind, name in (("Rollout", "cat-v2"), ("Deployment", "cat-v2"), ("Deployment", "mouse-v2")):
        found = events(mesh, kind, name)
        uid = mesh.api.get(f"{kind.lower()}s", name)["metadata"]["uid"]
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
    (warning,) = [
        one for one in events(mesh, "Rollout", "cat-v2") if one["type"] == "Warning" and "by bob" in one["message"]
    ]
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
        return (
            state.stage is Stage.SUCCEEDED
            and events(mesh, "Deployment", "mouse-v2")[-1]["reason"] == "RolloutTakenOver"
        )

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


BINARY = bytes(range(128, 160))


def told_once(mesh, hook, **more):
    """One rollout whose webhook is signed; gives what was sent, and the lines about what was not."""
    where = {"name": "s", **more}
    mesh.start(
        rollout(STRAIGHT, keepOld=None, notify=[{"url": f"{hook.url}/rollouts?token=T0K3N", "secretRef": where}])
    )
    state = mesh.run(stop=Patient(2000))
    assert state.phase is Phase.SUCCEEDED, "no rollout waits for its webhooks"
    assert state.told == len(state.log)
    lines = [line.partition("was not delivered: ")[2] for line in mesh.said if "was not delivered" in line]
    assert len(hook.seen) + len(lines) == len(state.log)
    assert "T0K3N" not in "\n".join(mesh.said)
    return [(headers, body) for _, _, headers, body in hook.seen], sorted(set(lines))


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["{url}", "{url}/", "{url}/rollouts", "https://other.example.com/ {url}/rollouts"])
def test_a_secret_signs_for_the_urls_of_its_annotation_whatever_bytes_it_has(mesh, prefix):
    with answering((200, "")) as hook:
        put_secret(mesh, prefix.format(url=hook.url), secret=BINARY)
        sent, lines = told_once(mesh, hook)
    assert lines == []
    for headers, body in sent:
        Library(BINARY).verify(body, headers)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prefix", "said", "overwrite"),
    [
        (None, "Secret demo/s has no annotation graylane.dev/url-prefix, so it is for no URL; to allow this one: ", ""),
        (" ", "Secret demo/s has no annotation graylane.dev/url-prefix, so it is for no URL; to allow this one: ", ""),
        (
            "{url}/roll",
            "the annotation graylane.dev/url-prefix of Secret demo/s does not cover this URL; to allow it: ",
            "x",
        ),
        (
            "http://127.0.0.1:1/",
            "the annotation graylane.dev/url-prefix of Secret demo/s does not cover this URL; to allow it: ",
            "x",
        ),
        ("hooks/", "Secret demo/s, annotation graylane.dev/url-prefix: takes a URL such as https://HOST/PATH, ", "x"),
    ],
)
def test_a_secret_signs_for_no_other_url_and_the_log_has_the_command_that_mends_it(mesh, prefix, said, overwrite):
    with answering((200, "")) as hook:
        put_secret(mesh, prefix and prefix.format(url=hook.url), secret=BINARY)
        sent, (line,) = told_once(mesh, hook)
        assert sent == []
        assert line.startswith(said)
        command = f"kubectl annotate secret s -n demo graylane.dev/url-prefix={hook.url}/"
        assert line.endswith(command + (" --overwrite" if overwrite else ""))


def test_the_command_that_the_log_has_is_one_that_mends_it(mesh):
    with answering((200, "")) as hook:
        put_secret(mesh, None, secret=BINARY)
        _, (line,) = told_once(mesh, hook)
        words = shlex.split(line.partition("to allow this one: ")[2])
    assert words[:6] == ["kubectl", "annotate", "secret", "s", "-n", "demo"]
    name, _, value = words[6].partition("=")
    assert name == ANNOTATION
    assert covers(value, parse_url(hook.url + "/rollouts?token=T0K3N"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"secret": b""}, "Secret demo/s, key secret: it is empty, and anybody could sign with an empty key"),
        ({"secret": b"whsec_%"}, "Secret demo/s, key secret: what follows whsec_ is no base64"),
        ({"other": b"x"}, "there is no Secret demo/s, key secret"),
        ({}, "there is no Secret demo/s, key secret"),
    ],
)
def test_without_a_key_that_can_be_used_nothing_is_sent(mesh, keys, said):
    with answering((200, "")) as hook:
        put_secret(mesh, hook.url, **keys)
        assert told_once(mesh, hook) == ([], [said])
