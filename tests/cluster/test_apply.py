"""`apply`, `diff`, `plan`, `delete`, `rollback` against a real API server: what is written, and what is not."""

import copy
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from mesh_cluster import ISTIOD, RENDERED, kubectl
from tcp_forwarder import Forwarder, kubeconfig_through

pytestmark = pytest.mark.cluster
COMMAND = Path(sys.executable).parent / "graylane"
NAMESPACE = "graylane-apply"
SPEC = yaml.safe_load(f"""
apiVersion: graylane/v1
kind: LaneGroup
metadata: {{name: pets, namespace: {NAMESPACE}}}
spec:
  lanes: {{prod: {{}}, gray: {{}}}}
  services:
    cat:
      host: cat-svc
      port: 9001
      calls: [mouse]
      versions:
        prod: {{labels: {{env: prod}}, autoscale: {{min: 1, max: 3}}}}
        gray: {{labels: {{env: gray}}}}
    mouse:
      host: mouse-svc
      port: 9001
      versions: {{prod: {{labels: {{env: prod}}}}, gray: {{labels: {{env: gray}}}}}}
  entries:
    - {{hosts: [apply.example.com], routes: [{{path: {{prefix: /}}, service: cat}}]}}
""")
ALL = {
    f"HorizontalPodAutoscaler {NAMESPACE}/cat-prod",
    *(
        f"{kind} {NAMESPACE}/{name}"
        for kind in ("DestinationRule", "VirtualService")
        for name in ("cat-svc", "mouse-svc")
    ),
    f"Gateway {NAMESPACE}/apply-example-com",
    f"VirtualService {NAMESPACE}/apply-example-com",
}


@pytest.fixture
def spec(tmp_path):
    """Write a spec; gives its file's name."""

    def write(value):
        file = tmp_path / "graylane.yaml"
        file.write_text(yaml.safe_dump(value))
        return str(file)

    return write


@pytest.fixture
def namespace():
    space: Any = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    space["metadata"]["labels"] = {"istio-injection": "enabled"}
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all([space, *map(service, ("cat", "mouse", "dog"))]))
    yield NAMESPACE
    kubectl("delete", "namespace", NAMESPACE)


def service(name):
    ports = [{"name": "http", "port": 9001, "targetPort": 9001}]
    metadata = {"name": f"{name}-svc", "namespace": NAMESPACE}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"selector": {"app": name}, "ports": ports},
    }


def graylane(*arguments, code=0, env=None):
    done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, timeout=300, env=env)
    assert "Traceback" not in done.stderr
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def apply(file, *more, code=0, env=None):
    options = ("--istiod", ISTIOD, "--drain", "0.2", "--timeout", "60")
    return graylane("apply", "-f", file, *options, *more, code=code, env=env)


def there():
    """What is in the namespace, by name, with the version that each write changes."""
    found = json.loads(kubectl("get", RENDERED, "-n", NAMESPACE, "-o", "json").stdout)["items"]
    return {f"{one['kind']} {NAMESPACE}/{one['metadata']['name']}": one for one in found}


def versions():
    return {name: one["metadata"]["resourceVersion"] for name, one in there().items() if "Autoscaler" not in name}


def same_as_rendered(file):
    """Every resource of the spec is there, as `render` writes it, and no other."""
    rendered = list(yaml.safe_load_all(graylane("render", "-f", file).stdout))
    live = there()
    for one in rendered:
        found = live.pop(f"{one['kind']} {NAMESPACE}/{one['metadata']['name']}")
        if one["kind"] != "HorizontalPodAutoscaler":  # the server fills in defaults
            assert found["spec"] == one["spec"]
    assert live == {}


def test_a_second_apply_writes_nothing_and_asks_little(namespace, spec):
    file = spec(SPEC)
    first = apply(file)
    assert all(f"created {name}" in first.stdout for name in ALL)
    same_as_rendered(file)
    before = versions()
    outcome = json.loads(apply(file, "--output", "json").stdout)[0]
    assert outcome["changed"] == []
    assert outcome["revision"] is None
    assert outcome["calls"] <= 10
    assert versions() == before
    assert graylane("diff", "-f", file).stdout == ""


def test_what_the_spec_no_longer_has_is_removed_and_nothing_else(namespace, spec):
    apply(spec(SPEC))
    stranger: Any = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": "dog-svc", "namespace": NAMESPACE},
        "spec": {"host": "dog-svc"},
    }
    labels = {"app.kubernetes.io/managed-by": "graylane", "graylane.dev/group": "others"}
    other = copy.deepcopy(stranger)
    other["metadata"] |= {"name": "others-svc", "labels": labels}
    twin = copy.deepcopy(stranger)  # of a group of the same name elsewhere
    twin["metadata"] |= {"name": "twins-svc", "labels": {**labels, "graylane.dev/group": "pets"}}
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all([stranger, other, twin]))
    less = copy.deepcopy(SPEC)
    del less["spec"]["services"]["mouse"], less["spec"]["services"]["cat"]["calls"]
    del less["spec"]["services"]["cat"]["versions"]["prod"]["autoscale"]
    said = apply(spec(less)).stdout
    gone = {name for name in ALL if "mouse" in name or "Autoscaler" in name}
    assert all(f"deleted {name}" in said for name in gone)
    strangers = {f"DestinationRule {NAMESPACE}/{name}" for name in ("dog-svc", "others-svc", "twins-svc")}
    assert set(there()) == ALL - gone | strangers
    graylane("delete", "-f", spec(less), "--istiod", ISTIOD, "--drain", "0")
    assert set(there()) == strangers


def test_fields_of_another_manager_stop_it_until_they_are_adopted(namespace, spec):
    apply(spec(SPEC))
    patch = json.dumps([{"op": "replace", "path": "/spec/http/0/name", "value": "by-hand"}])
    kubectl(
        "patch",
        "virtualservices.networking.istio.io",
        "cat-svc",
        "-n",
        NAMESPACE,
        "--type=json",
        "-p",
        patch,
        "--field-manager=ann",
    )
    assert "by-hand" in graylane("diff", "-f", spec(SPEC), code=1).stdout
    changed = copy.deepcopy(SPEC)
    changed["spec"]["services"]["cat"]["versions"]["v9"] = {"labels": {"env": "v9"}}
    before = versions()
    refused = apply(spec(changed), code=1)
    assert f"VirtualService {NAMESPACE}/cat-svc: .spec.http belongs to ann since 20" in refused.stderr
    assert "--adopt" in refused.stderr
    assert refused.stdout == ""
    assert versions() == before
    adopted = apply(spec(changed), "--adopt")
    assert "taking over" in adopted.stderr
    same_as_rendered(spec(changed))
    apply(spec(SPEC))  # and they are graylane's from now on


def test_what_another_manager_added_beside_ours_stays(namespace, spec):
    apply(spec(SPEC))
    patch = json.dumps({"spec": {"exportTo": ["."]}})
    kubectl(
        "patch",
        "virtualservices.networking.istio.io",
        "cat-svc",
        "-n",
        NAMESPACE,
        "--type=merge",
        "-p",
        patch,
        "--field-manager=ann",
    )
    assert json.loads(apply(spec(SPEC), "--output", "json").stdout)[0]["changed"] == []
    assert there()[f"VirtualService {NAMESPACE}/cat-svc"]["spec"]["exportTo"] == ["."]


@pytest.mark.parametrize(
    ("labels", "options"),
    [
        ({}, ([], ["--dry-run"])),  # --adopt takes over what is nobody's: test_adopt.py
        (
            {"app.kubernetes.io/managed-by": "graylane", "graylane.dev/group": "others"},
            ([], ["--adopt"], ["--dry-run"]),
        ),
    ],
)
def test_a_resource_of_somebody_else_is_not_touched(namespace, spec, labels, options):
    theirs = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "mouse-svc", "namespace": NAMESPACE, "labels": labels},
        "spec": {"hosts": ["mouse-svc"], "http": [{"route": [{"destination": {"host": "mouse-svc"}}]}]},
    }
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump(theirs))
    before = versions()
    for more in options:
        refused = apply(spec(SPEC), *more, code=1)
        assert f"VirtualService {NAMESPACE}/mouse-svc" in refused.stderr
    assert versions() == before


def test_a_dry_run_asks_the_server_and_writes_nothing(namespace, spec):
    said = apply(spec(SPEC), "--dry-run")
    assert "dry run, nothing was written" in said.stdout
    assert there() == {}
    assert graylane("history", "pets", "-n", NAMESPACE, code=2).stdout == ""


def test_the_plan_is_printed_and_carried_out_as_printed(namespace, spec):
    apply(spec(SPEC))
    more = copy.deepcopy(SPEC)
    more["spec"]["lanes"]["prod"] = {"versions": {"cat": "gray", "mouse": "gray"}}
    (plan,) = json.loads(graylane("plan", "-f", spec(more), "--output", "json").stdout)
    assert plan["consistent"] is True
    text = graylane("plan", "-f", spec(more)).stdout
    done = apply(spec(more)).stderr
    for step in plan["steps"]:
        assert step["title"] in text
        assert step["title"] in done
    (fast,) = json.loads(graylane("plan", "-f", spec(SPEC), "--fast", "--output", "json").stdout)
    assert fast["consistent"] is False
    assert fast["risks"]
    assert len(fast["steps"]) < len(plan["steps"])


def test_rollback_is_a_change_like_any_other(namespace, spec):
    apply(spec(SPEC))
    more = copy.deepcopy(SPEC)
    more["spec"]["services"]["dog"] = {
        "host": "dog-svc",
        "port": 9001,
        "versions": {"prod": {"labels": {"env": "prod"}}},
    }
    apply(spec(more))
    options = ("-n", NAMESPACE, "--istiod", ISTIOD, "--drain", "0")
    graylane("rollback", "pets", *options)
    same_as_rendered(spec(SPEC))
    graylane("rollback", "pets", "--to", "2", *options)
    same_as_rendered(spec(more))
    assert "no revision 77" in graylane("rollback", "pets", "--to", "77", *options, code=2).stderr
    history = json.loads(graylane("history", "pets", "-n", NAMESPACE, "--output", "json").stdout)
    assert sorted(one["action"] for one in history) == ["apply", "apply", "rollback to 1", "rollback to 2"]
    assert {one["outcome"] for one in history} == {"succeeded"}


def test_killed_at_any_moment_a_second_apply_ends_in_what_is_wanted(namespace, spec):
    apply(spec(SPEC))
    swapped = copy.deepcopy(SPEC)
    swapped["spec"]["lanes"] = {"prod": {"versions": {"cat": "gray", "mouse": "gray"}}, "gray": {}}
    chance = random.Random(6)
    for number in range(4):
        file = spec(swapped if number % 2 == 0 else SPEC)
        options = ("--istiod", ISTIOD, "--drain", "0.2")
        with subprocess.Popen([COMMAND, "apply", "-f", file, *options], stdout=-3, stderr=-3) as process:
            time.sleep(chance.uniform(0.6, 5))
            process.kill()
        apply(file)
        same_as_rendered(file)
        history = json.loads(graylane("history", "pets", "-n", NAMESPACE, "--output", "json").stdout)
        assert history[-1]["outcome"] == "succeeded"


def test_an_api_server_that_goes_and_comes_back_is_waited_for(namespace, spec, tmp_path):
    with Forwarder.to_api_server() as forwarder:
        env = kubeconfig_through(forwarder, tmp_path)
        command = [COMMAND, "apply", "-f", spec(SPEC), "--istiod", ISTIOD, "--drain", "0"]
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            forwarder.wait_for_connections(3)
            forwarder.refuse()
            time.sleep(3)
            forwarder.accept()
            out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert "revision 1" in out
    same_as_rendered(spec(SPEC))


def test_an_api_server_that_stays_away_is_reported_in_one_line(namespace, spec, tmp_path):
    with Forwarder.to_api_server() as forwarder:
        forwarder.refuse()
        gone = apply(spec(SPEC), code=1, env=kubeconfig_through(forwarder, tmp_path))
    assert gone.stdout == ""
    assert gone.stderr.startswith("graylane: no answer from the API server https://127.0.0.1:")
    assert len(gone.stderr.splitlines()) == 1
