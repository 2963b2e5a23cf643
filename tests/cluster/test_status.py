"""`graylane status` of a group in a real cluster: as applied, and after others have changed what they should not."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from mesh_cluster import ISTIOD, NAMESPACE, kubectl, until

from meshconfig.cluster import history
from meshconfig.cluster.client import Client
from meshconfig.cluster.lock import Lock
from meshconfig.cluster.status import Looker, judge

pytestmark = pytest.mark.cluster
SPEC = f"""
apiVersion: graylane/v1
kind: LaneGroup
metadata: {{name: watched, namespace: {NAMESPACE}}}
spec:
  lanes: {{prod: {{}}, gray: {{}}}}
  services:
    cat:
      host: cat-svc
      port: 9001
      versions: {{prod: {{labels: {{env: prod}}}}, gray: {{labels: {{env: gray}}}}}}
      weights: {{prod: 90, gray: 10}}
    mouse: {{host: mouse-svc, port: 9001, versions: {{prod: {{labels: {{env: prod}}}}}}}}
  entries:
    - hosts: [watched.graylane.test]
      routes: [{{path: {{prefix: /}}, service: cat}}]
"""
GRAYLANE = [sys.executable, "-c", "from meshconfig.cli import main; main()"]


def graylane(*arguments, check=(0,)):
    done = subprocess.run([*GRAYLANE, *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode in check, done.stderr
    return done.stdout


def status(exit_code=0):
    out = graylane("status", "watched", "-n", NAMESPACE, "--istiod", ISTIOD, "--output", "json", check=(exit_code,))
    return json.loads(out)


@pytest.fixture(scope="module")
def spec(cluster, tmp_path_factory):
    file = tmp_path_factory.mktemp("spec") / "spec.yaml"
    file.write_text(SPEC)
    yield file
    delete(file)


def delete(spec):
    graylane("delete", "-f", str(spec), "--istiod", ISTIOD, "--drain", "0")


@pytest.fixture
def group(spec):
    """The group, as it should be."""
    graylane("apply", "-f", str(spec), "--istiod", ISTIOD, "--drain", "0", "--adopt")


def test_as_applied_it_is_healthy_and_shows_who_gets_what(group):
    found = status()
    assert (found["healthy"], found["problems"], found["lock"]) == (True, [], None)
    assert found["barrier"]["state"] == "verified"
    assert found["barrier"]["proxies"] > 20
    cat, mouse = found["services"]
    assert {one["version"]: (one["ready"], one["wanted"]) for one in cat["versions"]} == {
        "prod": (1, 1),
        "gray": (1, 1),
    }
    shares = {one["lane"]: [(share["version"], share["percent"]) for share in one["shares"]] for one in cat["lanes"]}
    assert shares == {"prod": [("prod", 100)], "gray": [("gray", 100)], None: [("gray", 10), ("prod", 90)]}
    assert [(one["lane"], one["how"]) for one in mouse["lanes"]] == [
        ("prod", "own"),
        ("gray", "fallback"),
        (None, "own"),
    ]


def test_it_says_who_changed_what_and_what_is_missing(group):
    live = json.loads(kubectl("get", "virtualservice", "cat-svc", "-n", NAMESPACE, "-o", "json").stdout)
    live["spec"]["http"][-1]["route"][0]["weight"] = 50
    kubectl("replace", "-f", "-", "--field-manager=eve", stdin=json.dumps(live))
    kubectl("delete", "destinationrule", "mouse-svc", "-n", NAMESPACE)
    kubectl("annotate", "virtualservice", "mouse-svc", "-n", NAMESPACE, "note=not ours")
    found = status(1)
    drift = {(one["kind"], one["name"]): one for one in found["drift"]}
    assert {name: one["change"] for name, one in drift.items()} == {
        ("VirtualService", "cat-svc"): "changed",
        ("DestinationRule", "mouse-svc"): "created",
    }
    edited = drift["VirtualService", "cat-svc"]
    assert [one["manager"] for one in edited["changedBy"]] == ["eve"]
    assert [(one["live"], one["wanted"]) for one in edited["fields"]] == [(50, 10)]
    assert found["services"][0]["lanes"][-1]["shares"][0]["percent"] == round(100 * 50 / 140, 4)


def test_it_sees_pods_go_and_come_back(group):
    kubectl("scale", "deployment", "cat-gray", "-n", NAMESPACE, "--replicas=0")
    until(lambda: not json.loads(_out(check=(0, 1)))["healthy"], "a version without Pods is seen")
    assert status(1)["problems"] == ["cat gray: 0 of 0 Pods ready (cat-gray)"]
    kubectl("scale", "deployment", "cat-gray", "-n", NAMESPACE, "--replicas=1")
    until(lambda: json.loads(_out(check=(0, 1)))["healthy"], "its Pods are back")


def _out(check):
    return graylane("status", "watched", "-n", NAMESPACE, "--istiod", ISTIOD, "--output", "json", check=check)


def test_an_apply_that_died_is_interrupted_and_one_that_works_holds_the_lock(group):
    client = Client.connect()
    past = history.revisions(client, NAMESPACE, "watched")
    with Lock(client, NAMESPACE, "watched"):
        more: Any = {"inventory": past[-1].inventory, "changed": (), "past": past}
        begun = history.begin(client, spec=past[-1].spec, action="apply", **more)
        found = status(1)
        assert found["revision"]["outcome"] == "running"
        assert f"process {os.getpid()}" in found["lock"]["holder"]
    found = status(1)
    assert (found["revision"]["outcome"], found["lock"]) == ("interrupted", None)
    assert found["problems"] == [f"revision {past[-1].number + 1} (apply) was interrupted; apply again to go on"]
    history.end(client, begun, history.RevisionStatus.SUCCEEDED)
    assert status()["healthy"]


def test_a_look_is_few_calls(group):
    client = Client.connect()
    looker = Looker(client, NAMESPACE, "watched", istiod=ISTIOD)
    assert judge(looker.look()).healthy
    assert client.calls <= 10


def is_missing(line):
    """Whether a line of `status --watch --output json` tells of the VirtualService that was deleted."""
    return any("mouse-svc" in problem for problem in json.loads(line)["problems"])


def test_watch_in_a_pipe_tells_of_a_change_and_ends_with_ctrl_c(group):
    command = [*GRAYLANE, "status", "watched", "-n", NAMESPACE, "--istiod", ISTIOD, "--watch", "--output", "json"]
    watching = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert json.loads(watching.stdout.readline())["healthy"]
        kubectl("delete", "virtualservice", "mouse-svc", "-n", NAMESPACE)
        # Pods may be unready for a moment on a busy machine: a change of its own, which comes before.
        while not is_missing(watching.stdout.readline()):
            pass
        watching.send_signal(2)
        assert all(map(is_missing, watching.stdout.readlines()))
        assert watching.wait(30) == 1
    finally:
        watching.kill()
        watching.communicate()


def test_a_deleted_group_is_well(group, spec):
    delete(spec)
    found = status()
    assert (found["revision"]["action"], found["services"], found["drift"]) == ("delete", [], [])
