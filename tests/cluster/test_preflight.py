"""Preflight against a real API server: what it finds there, that its commands mend it, and what an account may not."""

import subprocess

import pytest
import yaml
from account import account
from kubernetes.client import ApiClient, Configuration
from mesh_cluster import PORT, deployment, kubectl, service

from meshconfig.cluster.client import Client
from meshconfig.cluster.preflight import istio_version, permissions, preflight
from meshconfig.compile import compile_group
from meshconfig.errors import Unreachable
from meshconfig.groups import groups
from meshconfig.lint import Level
from meshconfig.load import parse

pytestmark = pytest.mark.cluster
NAMESPACE, EMPTY = "graylane-preflight", "graylane-preflight-empty"
SPEC = """
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: pets, namespace: NAMESPACE}
spec:
  lanes: {prod: {}, gray: {}}
  services:
    cat:
      host: cat-svc
      port: PORT
      versions: {prod: {labels: {env: prod}}, gray: {labels: {env: gray}}}
    dog:
      host: dog-svc
      port: PORT
      versions: {prod: {labels: {env: prod}}}
  entries:
    - {hosts: [preflight.example.com], routes: [{path: {prefix: /}, service: cat}]}
"""


def model(namespace):
    text = SPEC.replace("NAMESPACE", namespace).replace("PORT", str(PORT))
    (group,) = groups(parse(text, "spec"))
    return compile_group(group.spec)


MODEL = model(NAMESPACE)
NEEDS = permissions(MODEL, [NAMESPACE])


@pytest.fixture
def client():
    return Client.connect()


@pytest.fixture(scope="module", autouse=True)
def healthy():
    """A namespace with all that the spec needs."""
    gone()
    kubectl("create", "namespace", NAMESPACE)
    kubectl("label", "namespace", NAMESPACE, "istio-injection=enabled")
    make(service("cat"), service("dog"))
    make(deployment("cat", "prod"), deployment("cat", "gray"), deployment("dog", "prod"))
    kubectl("wait", "--for=condition=Available", "deployment", "--all", "-n", NAMESPACE, "--timeout=110s")
    yield
    gone()


def gone():
    kubectl("delete", "namespace", NAMESPACE, EMPTY, "--ignore-not-found", "--timeout=100s")


def make(*manifests, namespace=NAMESPACE):
    for one in manifests:
        one["metadata"]["namespace"] = namespace
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(manifests))


def told(client, wanted=MODEL):
    """(level, where, what) of each finding."""
    return {(one.level.value, one.where, one.what) for one in preflight(client, wanted, NEEDS)}


def test_a_healthy_namespace_has_nothing_to_find_in_few_calls(client):
    before = client.calls
    assert told(client) == set()
    # Two of Istio's API, the namespace, each of its two Services and the Pods of each, and one for all permissions.
    assert client.calls - before == 8
    assert istio_version(client) == "v1"


def test_the_commands_that_it_gives_mend_what_it_finds(client):
    """From nothing: what can be run is run, until there is nothing left but what has to be deployed."""
    empty, commands, rounds = model(EMPTY), [], 0
    make_services = [service("cat"), service("dog")]
    make_services[0]["spec"]["ports"][0]["name"] = "web"
    make_services[1]["spec"]["ports"][0]["name"] = "tcp-dog"
    while found := [one for one in preflight(client, empty, NEEDS) if one.fix.startswith("kubectl ")]:
        rounds += 1
        assert rounds < 6, found
        for finding in found:
            subprocess.run(finding.fix, shell=True, check=True, timeout=60)
            commands.append((finding.level.value, finding.where))
        if make_services:
            make(*make_services, namespace=EMPTY)
            make_services = []
    assert commands == [
        ("error", f"Namespace {EMPTY}"),
        ("error", f"Service {EMPTY}/dog-svc"),
        ("warning", f"Namespace {EMPTY}"),
        ("warning", f"Service {EMPTY}/cat-svc"),
    ]
    waits = "no ready Pod is behind it: a step that sends requests there waits for one"
    assert told(client, empty) == {("warning", f"Service {EMPTY}/{name}-svc", waits) for name in ("cat", "dog")}


@pytest.fixture
def as_account(monkeypatch, tmp_path):
    """A client with the rights of k8s/rbac, or some of them."""

    def connect(keep=lambda resource, verb: True):
        monkeypatch.setenv("KUBECONFIG", str(account(NAMESPACE, tmp_path, keep)))
        return Client.connect()

    return connect


def test_the_account_of_k8s_rbac_may_all_that_it_needs(as_account):
    assert told(as_account()) == set()


def test_each_right_that_an_account_has_not_is_named(as_account):
    lost = {("virtualservices", "patch"), ("virtualservices", "create"), ("leases", "update"), ("pods", "list")}
    limited = as_account(lambda resource, verb: (resource, verb) not in lost)
    found = preflight(limited, MODEL, NEEDS)
    *errors, pods = found
    assert {(one.level, one.where) for one in errors} == {(Level.ERROR, f"Namespace {NAMESPACE}")}
    assert [one.what for one in errors] == [
        "this account may not update leases.coordination.k8s.io",
        "this account may not list pods",
        "this account may not create, patch virtualservices.networking.istio.io",
    ]
    assert (pods.level, pods.where) == (Level.WARNING, f"Pods in {NAMESPACE}")
    assert "forbidden" in pods.what


def test_an_api_server_that_is_away_is_said():
    configuration = Configuration(host="http://127.0.0.1:9", retries=False)
    with pytest.raises(Unreachable, match="no answer from the API server"):
        preflight(Client(ApiClient(configuration)), MODEL, NEEDS)


def test_what_is_not_there_is_named(client):
    """Comes last: the namespace is not healthy after it."""
    kubectl("delete", "service", "dog-svc", "-n", NAMESPACE)
    make(service("dogs"))
    kubectl("scale", "deployment", "cat-gray", "-n", NAMESPACE, "--replicas=0")
    kubectl("wait", "--for=delete", "pod", "-l", "app=cat,env=gray", "-n", NAMESPACE, "--timeout=60s")
    waits = "a step that sends requests there waits for one"
    assert told(client) == {
        ("error", f"Service {NAMESPACE}/dog-svc", "does not exist; did you mean dogs-svc?"),
        ("warning", f"Service {NAMESPACE}/cat-svc", f"no ready Pod is in its subset gray (env=gray): {waits}"),
    }
