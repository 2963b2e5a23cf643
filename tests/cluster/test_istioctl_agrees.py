"""Each lint rule that has an Istio code: `istioctl analyze` says the same of its example, and not of the mended one.

What a cluster holds of an example (Namespaces, Services, Pods) is applied, since istioctl reads those there alone; the
rest it gets as a file. The binary is `istioctl` on PATH, or that of the lab.
"""

import json
import subprocess
from typing import Any

import pytest
import yaml
from mesh_cluster import istioctl, kubectl, until

from meshconfig.lint import rules

pytestmark = pytest.mark.cluster
APPLY = ("apply", "--server-side", "-f", "-")
RULES = [one for one in rules() if one.istio]


def documents(text, namespace):
    """An example's documents, moved to a namespace of its own."""
    return list(yaml.safe_load_all(text.replace("demo", namespace)))


def service(name, namespace):
    spec = {"selector": {"app": name}, "ports": [{"port": 9001, "name": "http"}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def held(example, namespace):
    """What the cluster holds: the namespace, the Services, and a Pod for each Deployment, which needs no image."""
    around: list[Any] = [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": namespace, "labels": {"istio-injection": "disabled"}},
        }
    ]
    around += [service(name, namespace) for name in ("cat", "mouse")]
    found = {(one["kind"], one["metadata"]["name"]): one for one in around}
    for one in example:
        if one["kind"] in ("Namespace", "Service"):
            found[one["kind"], one["metadata"]["name"]] = one
        elif one["kind"] == "Deployment":
            found["Pod", one["metadata"]["name"]] = pod(one, namespace)
    return list(found.values())


def pod(deployment, namespace):
    template = deployment["spec"]["template"]
    metadata = {**template["metadata"], "name": deployment["metadata"]["name"], "namespace": namespace}
    spec = {"containers": [{"name": "none", "image": "auto"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def given(example):
    return [one for one in example if one["apiVersion"].startswith("networking.istio.io/")]


def examples():
    for one in RULES:
        for which in ("bad", "good"):
            namespace = f"lint-{one.code.lower()}-{which}"
            yield namespace, documents(getattr(one, which), namespace)


@pytest.fixture(scope="module")
def analyze(tmp_path_factory):
    """The codes that istioctl reports in the namespace of an example."""
    made = dict(examples())
    kept = {name: held(example, name) for name, example in made.items()}
    pods = [one for each in kept.values() for one in each if one["kind"] == "Pod"]
    others = [one for each in kept.values() for one in each if one["kind"] != "Pod"]
    for each in (
        others,
        pods,
    ):  # again while a namespace of an earlier run ends, or a new one has no ServiceAccount yet
        text = yaml.safe_dump_all(each)
        until(lambda text=text: not kubectl(*APPLY, stdin=text, check=False).returncode, "what the examples need")
    folder = tmp_path_factory.mktemp("examples")

    def run(namespace):
        file = folder / f"{namespace}.yaml"
        file.write_text(yaml.safe_dump_all(given(made[namespace])))
        command = [istioctl(), "analyze", "--all-namespaces", "-o", "json", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.stdout.strip(), done.stderr
        return {one["code"] for one in json.loads(done.stdout) or () if namespace in one["origin"]}

    yield run
    kubectl("delete", "namespace", *made)


@pytest.mark.parametrize("one", RULES, ids=lambda one: one.code)
def test_istioctl_reports_the_rule_s_example_too_and_not_the_mended_one(one, analyze):
    name = f"lint-{one.code.lower()}"
    assert set(one.istio) <= analyze(f"{name}-bad")
    assert not set(one.istio) & analyze(f"{name}-good")
