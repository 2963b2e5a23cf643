"""The accounts that come with graylane, made in a namespace of a test, and a kubeconfig that is one account's and
nobody else's."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml
from mesh_cluster import Manifest, kubectl

K8S = Path(__file__).parents[2] / "k8s"
PARTS = ("ServiceAccount", "Role", "RoleBinding")

Rule = dict[str, list[str]]
Keep = Callable[[str, str], bool]  # resource, verb


@dataclass(frozen=True)
class Account:
    """A ServiceAccount of k8s/FOLDER and what it may."""

    folder: str
    name: str
    gateway_api: bool = False  # it may also change groups with `backend: gateway`


OPERATOR = Account("rbac", "graylane")
CONTROLLER = Account("controller", "graylane-controller")
PREVIEWS = Account("previews", "graylane-previews")
VIEWER = Account("console/viewer", "graylane-viewer")


def everything(resource: str, verb: str) -> bool:
    return True


def manifests(namespace: str, keep: Keep = everything, of: Account = OPERATOR) -> list[Manifest]:
    """An account for another namespace than `demo`; of its rights those that `keep(resource, verb)`."""
    files = sorted((K8S / of.folder).rglob("*.yaml"))
    text = "---\n".join(one.read_text() for one in files if of.gateway_api or one.parent.name != "gateway-api")
    text = (
        text.replace("graylane-system", namespace)
        .replace("namespace: demo", f"namespace: {namespace}")
        .replace("-demo\n", f"-{namespace}\n")
    )
    found = [one for one in yaml.safe_load_all(text) if one and one["kind"] in PARTS]
    for one in found:
        if one["kind"] == "Role":
            one["rules"] = [left for rule in one["rules"] for left in _kept(rule, keep)]
    return found


def _kept(rule: Rule, keep: Keep) -> list[Rule]:
    """A rule as one for each resource, without the rights that are not kept."""
    each = [(one, [verb for verb in rule["verbs"] if keep(one, verb)]) for one in rule["resources"]]
    return [{**rule, "resources": [one], "verbs": verbs} for one, verbs in each if verbs]


def rights(namespace: str, of: Account = OPERATOR) -> list[tuple[str, str, str]]:
    """(where, resource, verb) of all that the account may."""
    roles = [one for one in manifests(namespace, of=of) if one["kind"] == "Role"]
    return [
        (role["metadata"]["namespace"], resource, verb)
        for role in roles
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


def account(namespace: str, folder: Path, keep: Keep = everything, of: Account = OPERATOR) -> Path:
    """Make the account in a namespace that exists; the path of its kubeconfig, good for an hour."""
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(manifests(namespace, keep, of)))
    return kubeconfig(of.name, namespace, folder)


def kubeconfig(name: str, namespace: str, folder: Path) -> Path:
    """The path of a kubeconfig of a ServiceAccount that exists, good for an hour."""
    token = kubectl("create", "token", name, "-n", namespace, "--duration=1h").stdout.strip()
    given = json.loads(kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json").stdout)
    context = {"cluster": "cluster", "user": name, "namespace": namespace}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": "cluster", "cluster": given["clusters"][0]["cluster"]}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": context}],
    }
    file = folder / f"{name}.kubeconfig"
    file.write_text(json.dumps(config))
    file.chmod(0o600)
    return file
