"""k8s/controller is enough and no more: as its account a controller takes a rollout to its end and another one back,
mends what somebody did to the group meanwhile, makes a LaneGroup object with a preview lane true and takes both out of
the mesh again, uses each right on the way, and can do nothing else."""

import json
import os
import subprocess
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import asked
import pytest
import yaml
from account import CONTROLLER, OPERATOR, account, rights
from canned import answering
from load_mesh import GRAYLANE
from mesh_cluster import ISTIO_RESOURCES, ISTIOD, PORT, kubectl, own_kinds

from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Key
from meshconfig.cluster.paths import path
from meshconfig.controller import Controller, Scope
from meshconfig.errors import ApiError
from meshconfig.exchange.allowed import Allowed
from meshconfig.load import parse
from meshconfig.rollout import begin, check, store
from meshconfig.rollout.events import Abort, Approve
from meshconfig.rollout.notify import signature
from meshconfig.rollout.runner import Settings
from meshconfig.rollout.runner.metrics import Metrics
from meshconfig.rollout.runner.secrets import ANNOTATION
from meshconfig.rollout.state import Phase, Stage

pytestmark = pytest.mark.cluster
NAMESPACE, GROUP = "graylane-rollout-rbac", "pets"
HOST = "cat.rollout-rbac.example.com"
SIZES = {"cat-v1": 2, "cat-v2": 1, "cat-v3": 1, "mouse-v1": 2, "mouse-v2": 1}
PATIENCE = 240.0
LANE = "pr-1"
SECRET = "c2VjcmV0"
TAKEN_AWAY = "gateways.networking.istio.io,serviceentries.networking.istio.io"
ROSTER = ("configmap", f"{GROUP}-consumers", "-n", NAMESPACE)
# The lab's istiod is no Pod: it is asked by its URL, and not through the API server.
BARRIER = {("istio-system", "pods", "list")}


@pytest.fixture(scope="module", autouse=True)
def namespace():
    own_kinds()
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
    kubectl("create", "namespace", NAMESPACE)
    kubectl("label", "namespace", NAMESPACE, "istio-injection=enabled")
    there = [*map(service, ("cat", "mouse")), *map(deployment, SIZES), sidecar(), secret()]
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(there))
    kubectl("wait", "--for=condition=Available", "deployment", "--all", "-n", NAMESPACE, "--timeout=110s")
    yield
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def manifest(api, kind, name, **parts):
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, **parts}


def service(name):
    spec = {"selector": {"app": name}, "ports": [{"name": "http", "port": PORT, "targetPort": PORT}]}
    return manifest("v1", "Service", f"{name}-svc", spec=spec)


def deployment(name):
    app, _, version = name.partition("-")
    labels = {"app": app, "version": version}
    container = {
        "name": "app",
        "image": "graylane-test-backend",
        "args": [f"--name={app}", f"--env={version}", f"--port={PORT}"],
        "ports": [{"containerPort": PORT}],
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": SIZES[name], "selector": {"matchLabels": labels}, "template": template}
    return manifest("apps/v1", "Deployment", name, spec=spec)


def sidecar():
    """What other tests create does not keep these Pods' proxies busy."""
    return manifest("networking.istio.io/v1", "Sidecar", "default", spec={"egress": [{"hosts": ["./*"]}]})


def secret():
    return manifest("v1", "Secret", "rollout-hook", stringData={"secret": SECRET})


def group():
    services = {"cat": lives(["v1", "v2", "v3"]), "mouse": lives(["v1", "v2"], autoscale={"min": 1, "max": 3})}
    services = {name: {"host": f"{name}-svc", "port": PORT, "default": "v1", **one} for name, one in services.items()}
    outside = {"host": "pay.rollout-rbac.example.com", "port": 443}
    services["pay"] = {**outside, "external": {}, "versions": {"live": {"host": outside["host"]}}}
    consumers = {"orders": {"topic": "orders", "versions": {"prod": "orders"}}}
    gateway = {"selector": {"istio": "ingressgateway"}, "port": 80}
    entry = {"hosts": [HOST], "gateway": gateway, "routes": [{"path": {"prefix": "/"}, "service": "cat"}]}
    spec = {"lanes": {"prod": {}}, "services": services, "consumers": consumers, "entries": [entry]}
    return document("LaneGroup", GROUP, spec)


def lives(versions, **more):
    return {"versions": {version: {"labels": {"version": version}, **more} for version in versions}}


def rollout(name, moves, steps, **more):
    moves = {service: {"from": old, "to": new} for service, (old, new) in moves.items()}
    return document("Rollout", name, {"group": GROUP, "services": moves, "steps": steps, **more})


def document(kind, name, spec):
    metadata = {"name": name, "namespace": NAMESPACE}
    return yaml.safe_dump({"apiVersion": "graylane/v1", "kind": kind, "metadata": metadata, "spec": spec})


@pytest.fixture
def connect(monkeypatch, tmp_path):
    """A client of one account."""

    def client(of):
        config = account(NAMESPACE, tmp_path, of=of)
        monkeypatch.setenv("KUBECONFIG", str(config))
        return Client.connect()

    return client


@pytest.fixture
def operator(connect, tmp_path):
    return Operator(connect(OPERATOR), tmp_path)


class Operator:
    """Somebody with the rights of k8s/rbac."""

    def __init__(self, client, folder):
        self.client, self.folder = client, folder
        self.environment = dict(os.environ)

    def apply(self, spec):
        file = self.folder / "graylane.yaml"
        file.write_text(spec)
        command = [GRAYLANE, "apply", "-f", str(file), f"--istiod={ISTIOD}", "--drain=0"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, text):
        (one,) = parse(text, "rollout.yaml")
        begin.start(self.client, check.parse(one), one, who="eva")

    def say(self, name, event):
        store.say(self.client, NAMESPACE, name, event)

    def sees(self, name, *where):
        """Waits until it is in one of these stages."""
        end = time.monotonic() + PATIENCE
        while (state := store.known(self.client, NAMESPACE, name).state).stage not in where:
            log = [(str(one.action), one.why) for one in state.log]
            assert time.monotonic() < end, log
            assert not state.phase.final, log
            time.sleep(0.3)
        return state


@contextmanager
def running(client, said):
    """A controller; (namespace, resource, verb) of what it asked of the API server."""
    used, request, stream, stop = set(), client.request, client.stream, threading.Event()

    def record(method, where, *arguments, **more):
        used.update(asked.rights(method, where, more.get("content_type", "")))
        return request(method, where, *arguments, **more)

    def watched(where, *arguments):
        used.add((NAMESPACE, where.rpartition("/")[2], "watch"))
        return stream(where, *arguments)

    client.request, client.stream = record, watched
    settings = Settings(istiod=ISTIOD, drain=0.0, wait=1.0, hosts=Allowed.of(["127.0.0.1"]))
    one = Controller(client, Scope(NAMESPACE, NAMESPACE), settings, tell=said.append, metrics=Metrics())
    thread = threading.Thread(target=one.run, args=(stop,))
    thread.start()
    try:
        yield used
    finally:
        stop.set()
        thread.join(PATIENCE)


def test_rollouts_and_groups_live_their_whole_life_and_use_every_right(connect, operator):
    operator.apply(group())
    said = []
    with answering((200, "")) as hook, running(connect(CONTROLLER), said) as used:
        to_its_end(operator, hook)
        back(operator)
        as_an_object()
    assert [line for line in said if "forbidden" in line] == []
    assert used - BARRIER == {one for one in rights(NAMESPACE, CONTROLLER) if one[0] == NAMESPACE}


def as_an_object():
    """The group gets an object, and is taken out of the mesh with it."""
    value = {**yaml.safe_load(group()), "apiVersion": "graylane.dev/v1"}
    for service in ("cat", "mouse"):
        value["spec"]["services"][service]["default"] = "v2"
        del value["spec"]["services"][service]["versions"]["v1"]
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump(value))
    name = (f"lanegroups.graylane.dev/{GROUP}", "-n", NAMESPACE)
    kubectl("wait", "--for=condition=Ready", *name, f"--timeout={PATIENCE:.0f}s")
    with_a_preview()
    kubectl("delete", *name, "--wait=false")
    succeed(f"{LANE}-after-")
    for gone in (f"lanes.graylane.dev/{LANE}", f"lanegroups.graylane.dev/{GROUP}"):
        kubectl("wait", "--for=delete", gone, "-n", NAMESPACE, f"--timeout={PATIENCE:.0f}s")
    assert f"cat-{LANE}" not in deployments()
    left = kubectl("get", f"{ISTIO_RESOURCES},{TAKEN_AWAY}", "-n", NAMESPACE, "-o", "name").stdout
    assert left == ""


def with_a_preview():
    """A Lane becomes ready, after its Job before; the end of the group ends it."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "run", "image": "graylane-test-backend"}]}
    job = {"spec": {"template": {"spec": pod}}}
    spec = {"suspend": True, "schedule": "@yearly", "jobTemplate": job}
    hooks = {"before": "schema", "after": "schema"}
    versions = {"cat": {"from": "v2", "env": {"FLAG": "1"}}}
    lane = manifest("graylane.dev/v1", "Lane", LANE, spec={"group": GROUP, "versions": versions, "hooks": hooks})
    there = [manifest("batch/v1", "CronJob", "schema", spec=spec), lane]
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(there))
    succeed(f"{LANE}-before-")
    name = (f"lanes.graylane.dev/{LANE}", "-n", NAMESPACE)
    kubectl("wait", "--for=jsonpath={.status.phase}=Ready", *name, f"--timeout={PATIENCE:.0f}s")


def succeed(prefix):
    """In place of the controller of Jobs, which a lab does not have."""
    end = time.monotonic() + PATIENCE
    while not (found := [one for one in jobs() if one.startswith(prefix)]):
        assert time.monotonic() < end, f"no Job {prefix}"
        time.sleep(0.3)
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    same = {"status": "True", "lastTransitionTime": now, "lastProbeTime": now, "reason": "Done", "message": ""}
    conditions = [{"type": kind, **same} for kind in ("SuccessCriteriaMet", "Complete")]
    status = {"startTime": now, "completionTime": now, "succeeded": 1, "conditions": conditions}
    patch = ("--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
    kubectl("patch", "job", found[0], "-n", NAMESPACE, *patch)


def jobs():
    return kubectl("get", "jobs", "-n", NAMESPACE, "-o", "jsonpath={.items[*].metadata.name}").stdout.split()


def to_its_end(operator, hook):
    """By more weights than revisions are kept; and while it pauses, somebody takes away what is the group's."""
    notify = [{"url": hook.url, "secretRef": {"name": "rollout-hook"}}]
    kubectl("annotate", "secret", "rollout-hook", "-n", NAMESPACE, "--overwrite", f"{ANNOTATION}={hook.url}/")
    steps = [{"weight": 10, "replicas": "100%"}, {"pause": {}}, *({"weight": one} for one in range(20, 101, 10))]
    moves = {"cat": ("v1", "v2"), "mouse": ("v1", "v2")}
    operator.start(rollout("pets-v2", moves, steps, keepOld="1s", notify=notify))
    operator.sees("pets-v2", Stage.APPROVAL)
    kubectl("delete", TAKEN_AWAY, "--all", "-n", NAMESPACE)
    kubectl("delete", *ROSTER)
    operator.say("pets-v2", Approve("eva", "looks good"))
    operator.sees("pets-v2", Stage.SUCCEEDED)
    told_all(operator, hook)
    assert deployments() == {"cat-v2": 2, "cat-v3": 1, "mouse-v2": 2}
    mended = kubectl("get", TAKEN_AWAY, "-n", NAMESPACE, "-o", "name").stdout.split()
    assert {one.partition(".")[0] for one in mended} == {"gateway", "serviceentry"}, "it was not mended"
    assert kubectl("get", *ROSTER, "-o", "name").stdout
    kinds = kubectl("get", "events", "-n", NAMESPACE, "-o", "jsonpath={.items[*].reason}").stdout.split()
    assert {"RolloutTakeUp", "RolloutApprove", "RolloutTakenOver", "RolloutOldRetired"} <= set(kinds)


def told_all(operator, hook):
    """Each entry of the log has come, signed with the Secret."""
    log = store.known(operator.client, NAMESPACE, "pets-v2").state.log
    end = time.monotonic() + PATIENCE
    while len(hook.seen) < len(log):
        assert time.monotonic() < end, f"{len(hook.seen)} of {len(log)} messages"
        time.sleep(0.2)
    for entry, (_, _, headers, body) in zip(log, hook.seen, strict=True):
        assert json.loads(body)["data"]["number"] == entry.number
        name, stamp = headers["webhook-id"], headers["webhook-timestamp"]
        assert headers["webhook-signature"] == signature(SECRET.encode(), name, stamp, body)


def back(operator):
    """Another one is aborted on the way."""
    operator.start(rollout("cat-v3", {"cat": ("v2", "v3")}, [{"weight": 50}, {"pause": {}}, {"weight": 100}]))
    operator.sees("cat-v3", Stage.APPROVAL)
    assert deployments()["cat-v3"] == 1
    operator.say("cat-v3", Abort("eva", "the wrong image"))
    assert operator.sees("cat-v3", Stage.ABORTED).phase is Phase.ABORTED


def deployments():
    found = json.loads(kubectl("get", "deployments", "-n", NAMESPACE, "-o", "json").stdout)["items"]
    return {one["metadata"]["name"]: one["spec"]["replicas"] for one in found}


def test_it_may_nothing_else(tmp_path):
    config = account(NAMESPACE, tmp_path, of=CONTROLLER)
    for place in (NAMESPACE, "istio-system", "default"):
        granted = {one for one in rights(NAMESPACE, CONTROLLER) if one[0] == place}
        assert asked.allowed(config, place) == granted


def test_it_reads_the_secrets_that_are_named_and_no_others(connect):
    kubectl("create", "secret", "generic", "other", "--from-literal=secret=x", "-n", NAMESPACE)
    client = connect(CONTROLLER)
    assert client.get(path(Key("Secret", NAMESPACE, "rollout-hook")))
    with pytest.raises(ApiError, match="cannot get resource"):
        client.get(path(Key("Secret", NAMESPACE, "other")))
