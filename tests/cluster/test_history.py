"""Revisions in a real API server: what a user reads back of what was applied."""

import json
import subprocess
import sys

import pytest
import yaml
from mesh_cluster import kubectl

from meshconfig import groups
from meshconfig.cluster import history
from meshconfig.cluster.client import Client
from meshconfig.cluster.history import RevisionStatus
from meshconfig.cluster.lock import Lock
from meshconfig.cluster.objects import Key
from meshconfig.load import parse

pytestmark = pytest.mark.cluster
NAMESPACE = "graylane-history"
SPEC = f"""
apiVersion: graylane.dev/v1
kind: LaneGroup
metadata: {{name: pets, namespace: {NAMESPACE}}}
spec:
  lanes: {{prod: {{}}, gray: {{}}}}
  services:
    cat:
      host: cat-svc
      port: 9001
      versions: {{prod: {{labels: {{env: prod}}}}, gray: {{labels: {{env: gray}}}}}}
      weights: {{prod: 90, gray: 10}}
"""
GROUP = groups.groups(parse(SPEC, "spec"))[0].spec
CHANGED = [f"created VirtualService {NAMESPACE}/cat-svc"]


@pytest.fixture(autouse=True)
def namespace():
    kubectl("create", "namespace", NAMESPACE)
    yield
    kubectl("delete", "namespace", NAMESPACE)


@pytest.fixture
def client():
    return Client.connect()


def begin(client, past):
    keys = [Key("VirtualService", NAMESPACE, "cat-svc")]
    return history.begin(client, spec=GROUP, action="apply", inventory=keys, changed=CHANGED, past=past)


def graylane(*arguments):
    code = "import sys; from meshconfig.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_user_reads_what_was_applied_and_how_it_ended(client):
    with Lock(client, NAMESPACE, "pets"):
        first = begin(client, [])
        history.end(client, first, RevisionStatus.SUCCEEDED)
        second = begin(client, [first])
        history.end(client, second, RevisionStatus.FAILED, "the barrier\ndid not hold")
    begin(client, history.revisions(client, NAMESPACE, "pets"))  # and its process dies

    code, out, _ = graylane("history", "pets", "-n", NAMESPACE)
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["revision", "when", "who", "action", "outcome", "changes"]
    me = client.request(
        "POST",
        "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
    )["status"]["userInfo"]["username"]
    assert [line[3] for line in lines[1:]] == [me] * 3
    assert [line[0] for line in lines[1:]] == ["1", "2", "3"]
    assert out.count("interrupted") == 1
    assert lines[1][-4:] == ["succeeded", *CHANGED[0].split()]
    assert lines[2][-3:] == ["failed", "the", "barrier"]

    code, out, _ = graylane("history", "pets", "-n", NAMESPACE, "--output", "json")
    found = json.loads(out)
    assert [one["outcome"] for one in found] == ["succeeded", "failed", "interrupted"]
    assert found[0]["changed"] == CHANGED

    code, out, _ = graylane("history", "pets", "-n", NAMESPACE, "--show", "1")
    assert (code, yaml.safe_load(out)) == (0, yaml.safe_load(SPEC))


def test_reading_takes_one_call_and_gives_all_back(client):
    begin(client, [])
    before = client.calls
    (one,) = history.revisions(client, NAMESPACE, "pets")
    assert client.calls - before == 1
    assert one.spec == GROUP
    assert one.inventory == {Key("VirtualService", NAMESPACE, "cat-svc")}


def test_ten_are_kept(client):
    for _ in range(12):
        past = history.revisions(client, NAMESPACE, "pets")
        history.end(client, begin(client, past), RevisionStatus.SUCCEEDED)
    assert [one.number for one in history.revisions(client, NAMESPACE, "pets")] == list(range(3, 13))


def test_an_unknown_group_is_one_line(client):
    assert graylane("history", "pets", "-n", NAMESPACE) == (
        2,
        "",
        f"graylane: namespace {NAMESPACE} has no group pets; no group was ever applied there\n",
    )
    begin(client, [])
    code, out, err = graylane("history", "pet", "-n", NAMESPACE)
    assert (code, out) == (2, "")
    assert err == f"graylane: namespace {NAMESPACE} has no group pet; did you mean pets?\n"
    assert graylane("history", "zoo", "-n", NAMESPACE)[2].endswith("has no group zoo; there is pets\n")
    assert graylane("history", "pets", "-n", NAMESPACE, "--show", "9")[::2] == (
        2,
        "--show: there is no revision 9; the group has 1\n",
    )
