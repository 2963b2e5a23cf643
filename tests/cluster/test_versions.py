"""The life of a version by hand, in one file, under load: v1, v2 beside it at 30 to 70, 80 to 20, v2 takes over, v1 is
retired, v3 comes and goes. By the real command, as the account of k8s/rbac with the rights on Deployments that
docs/versions.md names; the Pods are those of the cluster's own controllers."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import load
import load_mesh
import pytest
import yaml
from account import account
from load_judge import total, wrong
from load_story import Story
from mesh_cluster import ISTIOD, gateway_address, kubectl, until

pytestmark = pytest.mark.cluster
NAMESPACE, HOST, PORT = "graylane-versions", "versions.example.com", 9001
LONGEST = 600.0  # seconds of load, at most
TAGS = ("", "blue")
DOCS = Path(__file__).parents[2] / "docs" / "versions.md"

SPEC = f"""\
# cat, by hand
apiVersion: graylane/v1
kind: LaneGroup
metadata: {{name: life, namespace: {NAMESPACE}}}
spec:
  lanes: {{prod: {{}}}}   # no lanes, till one comes
  services:
    cat:
      host: cat-svc
      port: {PORT}
      versions:
        v1: {{labels: {{app: cat, version: v1}}}}   # the first one
      default: v1
  entries:
    - hosts: [{HOST}]   # one host
      tag: trusted
      routes: [{{path: {{prefix: /}}, service: cat}}]
"""


@dataclass(frozen=True)
class State:
    """The versions that the untagged may get, and those of who sends `env: blue`, where that is a lane."""

    untagged: tuple[str, ...]
    blue: tuple[str, ...] = ()

    def allowed(self):
        chains = {"": self.untagged, "blue": self.blue or self.untagged}
        return {tag: frozenset((("cat", version),) for version in found) for tag, found in chains.items()}


def resource(api, kind, name, **parts):
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, **parts}


def fixtures():
    """The namespace, a Service, and v1. Its Pods learn their version from their label, so that a clone's do too."""
    labels = {"app": "cat", "version": "v1"}
    version = {"name": "VERSION", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['version']"}}}
    container = {
        "name": "app",
        "image": "graylane-demo",
        "imagePullPolicy": "IfNotPresent",
        "args": ["--name=cat", "--env=$(VERSION)", f"--port={PORT}", "--host=0.0.0.0", "--stack=wsgi"],
        "env": [version],
        "ports": [{"name": "http", "containerPort": PORT}],
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    deployment = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    ports = [{"name": "http", "port": PORT, "targetPort": PORT}]
    egress = [{"hosts": ["./*"]}]  # other tests' resources stay away
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": NAMESPACE, "labels": {"istio-injection": "enabled"}},
        },
        resource("v1", "Service", "cat-svc", spec={"selector": {"app": "cat"}, "ports": ports}),
        resource("apps/v1", "Deployment", "cat-v1", spec=deployment),
        resource("networking.istio.io/v1", "Sidecar", "default", spec={"egress": egress}),
    ]


def rights(kubeconfig_folder):
    """The account of k8s/rbac, and the Role that the page shows."""
    (role,) = re.findall(r"^```yaml\n(apiVersion: rbac.*?)^```", DOCS.read_text(), re.DOTALL | re.MULTILINE)
    kubectl("apply", "-f", "-", stdin=role.replace("namespace: demo", f"namespace: {NAMESPACE}"))
    return account(NAMESPACE, kubeconfig_folder)


@pytest.fixture(scope="module")
def gateway():
    text = yaml.safe_dump_all(fixtures())
    # Again while the namespace of an earlier run ends.
    until(lambda: not kubectl("apply", "--server-side", "-f", "-", stdin=text, check=False).returncode, "the namespace")
    kubectl("wait", "--for=condition=Available", "deployment", "--all", "-n", NAMESPACE, "--timeout=110s")
    yield gateway_address()
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture
def life(gateway, tmp_path):
    return Life(gateway, tmp_path)


class Life:
    """The command, the file that it edits, and the cluster as `kubectl` sees it."""

    def __init__(self, gateway, folder):
        self.spec = folder / "graylane.yaml"
        self.spec.write_text(SPEC)
        self.environment = {**os.environ, "KUBECONFIG": str(rights(folder))}
        self.story = Story(gateway, HOST, folder / "requests.jsonl", State(("v1",)))

    def run(self, *words, code=0, timeout="120"):
        flags = [f"--istiod={ISTIOD}", f"--timeout={timeout}"]
        command = [load_mesh.GRAYLANE, *words, "-f", str(self.spec), *flags]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == code, (
            f"graylane {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        )
        assert "unverified" not in done.stdout
        return done.stdout + done.stderr

    def step(self, state, *words):
        with self.story.change(" ".join(words[:4]), state):
            return self.run(*words, "--apply")

    def shares(self, number=400):
        """Of the next untagged requests, the share of each version."""
        begin = load.count_ended(self.story.out)
        until(lambda: load.count_ended(self.story.out) > begin + 2 * number, f"{number} requests")
        versions = [one.chain[0][1] for one in load.read(self.story.out)[begin:] if not one.tag]
        return {version: versions.count(version) / len(versions) for version in set(versions)}


def names(kind):
    return set(kubectl("get", kind, "-n", NAMESPACE, "-o", "name").stdout.split())


def subsets():
    found = kubectl("get", "destinationrule", "cat-svc", "-n", NAMESPACE, "-o", "json").stdout
    return [one["name"] for one in json.loads(found)["spec"]["subsets"]]


def test_the_life_of_versions_in_one_file_costs_no_request(life):
    life.run("apply")
    life.story.ready()
    try:
        with load.load(life.story.address, HOST, TAGS, life.story.out, seconds=LONGEST):
            lives(life)
    finally:
        print(life.story.tell("versions by hand"))
    whole = total(life.story.rows())
    assert (whole.failed, whole.mixed) == (0, 0), f"\n{wrong(life.story.rows())}"
    assert whole.sent > 3000
    # What a person wrote is as it was; the first line that is not, is what was done.
    expected = SPEC.replace("        v1: {labels: {app: cat, version: v1}}   # the first one\n", "        v2: NEW\n")
    expected = expected.replace("v2: NEW", "v2: {labels: {app: cat, version: v2}}").replace(
        "default: v1", "weights: {v2: 100}"
    )
    assert life.spec.read_text() == expected


def lives(life):
    both, blue = State(("v1", "v2")), State(("v2",), ("v1",))
    said = life.step(
        both, "version", "add", "cat", "v2", "--from", "v1", "--image", "graylane-demo:2", "--weight", "70"
    )
    assert "Deployment graylane-versions/cat-v2: 1 of 1 Pods ready" in said
    assert 0.6 < life.shares()["v2"] < 0.8
    life.step(both, "version", "weights", "cat", "v1=80", "v2=20")
    assert 0.7 < life.shares()["v1"] < 0.9
    life.step(State(("v2",)), "version", "takeover", "cat", "v2")
    life.step(blue, "lane", "add", "blue", "--versions", "cat=v1")
    refused = life.run("version", "retire", "cat", "v1", "--apply", code=2)
    assert f"{life.spec}:6: spec.lanes.blue.versions.cat: cat v1 is in use: lane blue uses it" in refused
    life.step(State(("v2",)), "lane", "remove", "blue")
    said = life.step(State(("v2",)), "version", "retire", "cat", "v1")
    assert "kept Deployment graylane-versions/cat-v1, because graylane did not create it" in said
    assert subsets() == ["v2"]
    add = ["version", "add", "cat", "v3", "--from", "v2", "--image", "graylane-demo:3", "--autoscale", "1,3,70"]
    life.step(State(("v2", "v3")), *add, "--weight", "10")
    assert 0.03 < life.shares()["v3"] < 0.2
    assert names("hpa") == {"horizontalpodautoscaler.autoscaling/cat-v3"}
    life.step(State(("v2",)), "version", "weights", "cat", "v2=100")
    said = life.step(State(("v2",)), "version", "retire", "cat", "v3")
    assert "deleted Deployment graylane-versions/cat-v3" in said
    assert names("hpa") == set()
    assert names("deployment") == {"deployment.apps/cat-v1", "deployment.apps/cat-v2"}
    assert subsets() == ["v2"]


def test_a_version_whose_pods_do_not_come_up_gets_no_route_and_the_file_stays(life):
    life.run("apply")
    before = life.spec.read_text()
    add = ["version", "add", "cat", "v7", "--from", "v1", "--image", "nobody-knows-it", "--weight", "50", "--apply"]
    said = life.run(*add, code=1, timeout="3")
    assert "0 of 1 Pods of Deployment graylane-versions/cat-v7 ready after 3 s" in said
    assert "nothing was routed or written; the same command goes on" in said
    assert life.spec.read_text() == before
    assert subsets() == ["v1"]
    # The same command with an image that works goes on, and retiring it takes back all of it.
    life.run(*(word.replace("nobody-knows-it", "graylane-demo:7") for word in add))
    assert subsets() == ["v1", "v7"]
    assert "weights: {v1: 50, v7: 50}" in life.spec.read_text()
    life.run("version", "takeover", "cat", "v1", "--apply")
    life.run("version", "retire", "cat", "v7", "--apply")
    assert life.spec.read_text() == before
    assert "deployment.apps/cat-v7" not in names("deployment")


def test_a_deployment_of_somebody_else_is_left_alone(life):
    life.run("apply")
    kubectl("create", "deployment", "cat-v8", "--image=graylane-demo", "--replicas=0", "-n", NAMESPACE)
    before = life.spec.read_text()
    add = ["version", "add", "cat", "v8", "--from", "v1", "--image", "graylane-demo:8", "--apply"]
    assert "Deployment graylane-versions/cat-v8 exists already and is not graylane's" in life.run(*add, code=1)
    assert life.spec.read_text() == before
    kubectl("delete", "deployment", "cat-v8", "-n", NAMESPACE)
    said = life.run(*add, "--dry-run")
    assert "+  name: cat-v8" in said
    assert life.spec.read_text() == before
    assert "deployment.apps/cat-v8" not in names("deployment")
