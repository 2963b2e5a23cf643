"""What the console is tried on in the lab: cat → mouse → dog behind the gateway, whose sidecars send access logs to the
console; cat's v2 loses the tag. And the consoles of two persons, as processes."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rollout_mesh
import yaml
from account import account
from console_browser import address_in
from load import Chain
from load_judge import Allowed
from load_mesh import GRAYLANE, apply
from mesh_cluster import ISTIOD, Manifest, gateway_address, kubectl, until
from otlp_service import otlp_service
from rollout_mesh import HOST, NAMESPACE, PORT

GROUP = "pets"
OTLP_PORT = 4317
SPEC = f"""\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {{name: {GROUP}, namespace: {NAMESPACE}}}
spec:
  trail: true
  lanes: {{prod: {{versions: {{cat: v1, mouse: v1, dog: v1}}}}}}
  services:
    cat: {{host: cat-svc, port: {PORT}, calls: [mouse], versions: {{v1: {{labels: {{version: v1}}}}}}}}
    mouse:
      host: mouse-svc
      port: {PORT}
      calls: [dog]
      versions: {{v1: {{labels: {{version: v1}}}}, v2: {{labels: {{version: v2}}}}}}
    dog: {{host: dog-svc, port: {PORT}, versions: {{v1: {{labels: {{version: v1}}}}}}}}
  entries:
    - hosts: [{HOST}]
      gateway: {{selector: {{istio: ingressgateway}}, port: 80}}
      routes: [{{path: {{prefix: /}}, service: cat}}]
"""
READS = ("get", "list", "watch")
VIEWER = "viewer"


@dataclass(frozen=True)
class State:
    """The versions of cat and mouse that untagged requests may get, and those of lane gray's, which begins untagged."""

    cat: tuple[str, ...] = ("v1",)
    mouse: tuple[str, ...] = ("v1",)
    gray: tuple[str, ...] = ()

    def allowed(self) -> Allowed:
        return {"": self._chains(self.cat), "gray": self._chains(self.gray or self.cat)}

    def _chains(self, cats: tuple[str, ...]) -> frozenset[Chain]:
        return frozenset((("cat", cat), ("mouse", mouse), ("dog", "v1")) for cat in cats for mouse in self.mouse)


def manifests() -> list[Manifest]:
    """The namespace, its Services, all versions' Deployments, and the Service that sidecars send their logs to."""
    found = [
        *rollout_mesh.surroundings(),
        *rollout_mesh.deployments({"v1": 1, "v2": 1}),
        *otlp_service(NAMESPACE, OTLP_PORT),
    ]
    for one in found:
        if one["metadata"]["name"] == "cat-v2":
            container = one["spec"]["template"]["spec"]["containers"][0]
            container["env"] = [{"name": "PROPAGATION_REMOTE_FIELDS", "value": "x-other"}]
    return found


def viewer(folder: Path) -> Path:
    """The kubeconfig of an account that may read what an operator reads, and change nothing."""
    roles = kubectl("get", "roles", "-n", NAMESPACE, "-o", "json").stdout
    rules = [
        {**rule, "verbs": [verb for verb in rule["verbs"] if verb in READS]}
        for role in json.loads(roles)["items"]
        if role["metadata"]["name"] != VIEWER
        for rule in role["rules"]
    ]
    apply([_manifest("v1", "ServiceAccount", VIEWER), *_role(VIEWER, VIEWER, [one for one in rules if one["verbs"]])])
    config: dict[str, Any] = json.loads((folder / "graylane.kubeconfig").read_text())
    token = kubectl("create", "token", VIEWER, "-n", NAMESPACE, "--duration=1h").stdout.strip()
    config["users"][0]["user"]["token"] = token
    file = folder / "viewer.kubeconfig"
    file.write_text(json.dumps(config))
    return file


def _manifest(api: str, kind: str, name: str, **parts: Any) -> Manifest:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, **parts}


def _role(name: str, account_name: str, rules: list[dict[str, Any]]) -> list[Manifest]:
    """A Role of an account."""
    api = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": account_name, "namespace": NAMESPACE}
    reference = {"apiGroup": api, "kind": "Role", "name": name}
    return [
        _manifest(f"{api}/v1", "Role", name, rules=rules),
        _manifest(f"{api}/v1", "RoleBinding", name, subjects=[subject], roleRef=reference),
    ]


@contextmanager
def console(kubeconfig: Path, *flags: str) -> Iterator[str]:
    """The address of a console that acts with these credentials, while the block runs."""
    command = [GRAYLANE, "console", f"--istiod={ISTIOD}", f"--gateway=http://{gateway_address()}", *flags]
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    said: list[str] = []
    assert process.stdout
    reading = threading.Thread(target=lambda: said.extend(process.stdout or ()))
    reading.start()
    try:
        until(lambda: any("console  " in line for line in said) or process.poll() is not None, "the console's address")
        yield address_in("".join(said))
    finally:
        process.terminate()
        process.wait(30)
        reading.join()
        process.stdout.close()
        print("".join(said[1:]))


def telemetry(folder: Path) -> None:
    """Has the sidecars send access logs, as `render --telemetry` writes it."""
    (folder / "pets.yaml").write_text(SPEC)
    command = [GRAYLANE, "render", "-f", str(folder / "pets.yaml"), "--telemetry"]
    rendered = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    found = [one for one in yaml.safe_load_all(rendered) if one["kind"] == "Telemetry"]
    for one in found:
        del one["spec"]["metrics"]  # the lab's Envoys are stock ones, without Istio's filter for metrics
    apply(found)


def operator(folder: Path) -> Path:
    """The kubeconfig of the account of k8s/rbac, which may list groups too: traffic is shown to whoever may."""
    file = account(NAMESPACE, folder)
    listing = {"apiGroups": ["graylane.dev"], "resources": ["lanegroups"], "verbs": ["list"]}
    apply(_role("groups", "graylane", [listing]))
    return file


def settled() -> None:
    """All Pods are there."""
    kubectl("wait", "--for=condition=Available", "deployment", "--all", "-n", NAMESPACE, "--timeout=110s")
    time.sleep(1)
