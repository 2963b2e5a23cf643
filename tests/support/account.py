"""The account of k8s/rbac, made in a namespace of a test, and a kubeconfig that is this account's and nobody else's."""

import json
from collections.abc import Callable
from pathlib import Path

import yaml
from mesh_cluster import Manifest, kubectl

RBAC = Path(__file__).parents[2] / "k8s" / "rbac"
NAME = "graylane"

Rule = dict[str, list[str]]


def manifests(namespace: str, keep: Callable[[str, str], bool] = lambda resource, verb: True) -> list[Manifest]:
    """k8s/rbac for another namespace than `demo`; of its rights those that `keep(resource, verb)`."""
    text = "---\n".join(file.read_text() for file in sorted(RBAC.glob("*.yaml")))
    text = text.replace("namespace: demo", f"namespace: {namespace}").replace("-demo\n", f"-{namespace}\n")
    found = [one for one in yaml.safe_load_all(text) if one]
    for one in found:
        if one["kind"] == "Role":
            one["rules"] = [left for rule in one["rules"] for left in _kept(rule, keep)]
    return found


def _kept(rule: Rule, keep: Callable[[str, str], bool]) -> list[Rule]:
    """A rule as one for each resource, without the rights that are not kept."""
    each = [(one, [verb for verb in rule["verbs"] if keep(one, verb)]) for one in rule["resources"]]
    return [{**rule, "resources": [one], "verbs": verbs} for one, verbs in each if verbs]


def rights(namespace: str) -> list[tuple[str, str, str]]:
    """(where, resource, verb) of all that the account may."""
    roles = [one for one in manifests(namespace) if one["kind"] == "Role"]
    return [
        (role["metadata"]["namespace"], resource, verb)
        for role in roles
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


def account(namespace: str, folder: Path, keep: Callable[[str, str], bool] = lambda resource, verb: True) -> Path:
    """Make the account in a namespace that exists; the path of its kubeconfig, good for an hour."""
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(manifests(namespace, keep)))
    token = kubectl("create", "token", NAME, "-n", namespace, "--duration=1h").stdout.strip()
    given = json.loads(kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json").stdout)
    context = {"cluster": "cluster", "user": NAME, "namespace": namespace}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": NAME,
        "clusters": [{"name": "cluster", "cluster": given["clusters"][0]["cluster"]}],
        "users": [{"name": NAME, "user": {"token": token}}],
        "contexts": [{"name": NAME, "context": context}],
    }
    file = folder / "kubeconfig"
    file.write_text(json.dumps(config))
    file.chmod(0o600)
    return file
