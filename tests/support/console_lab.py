"""What the console is tried on in the lab: cat → mouse → dog behind the gateway, whose sidecars send access logs to the
console; cat's v2 loses the tag. And the consoles of two persons, as processes."""

import json
import os
import subprocess
import threading
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rollout_mesh
import yaml
from account import OPERATOR, VIEWER, account
from account import manifests as accounts
from console_browser import address_in
from console_served import served
from load import Chain
from load_judge import Allowed
from load_mesh import GRAYLANE, apply
from mesh_cluster import ADMIN, ISTIOD, Manifest, gateway_address, kubectl, until
from otlp_service import otlp_service
from rollout_mesh import HOST, NAMESPACE, PORT
from starlette.types import ASGIApp

from meshconfig.cluster.change import Choices
from meshconfig.console import Settings, create_app
from meshconfig.console.sources.access import ByToken

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
    """The kubeconfig of the account of k8s/console/viewer."""
    return account(NAMESPACE, folder, of=VIEWER)


@contextmanager
def public(kubeconfig: Path) -> Iterator[tuple[str, str]]:
    """A console as one with `--public` is, in this process: the address of its login, and the token of a kubeconfig."""
    config: dict[str, Any] = json.loads(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    # Where the kubeconfig has none, as in the lab, the API server has made its certificate itself, beside it.
    certificate = Path(ADMIN["KUBECONFIG"]).parent / "pki" / "apiserver.crt"
    if given := cluster.get("certificate-authority-data"):
        certificate = kubeconfig.with_suffix(".crt")
        certificate.write_bytes(b64decode(given))
    access = ByToken(cluster["server"], str(certificate), Choices(istiod=ISTIOD))

    def make(port: int) -> ASGIApp:
        return create_app(Settings.behind_proxy(f"http://127.0.0.1:{port}"), access)

    with served(make) as port:
        yield f"http://127.0.0.1:{port}/login", user["token"]


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
    """The kubeconfig of the account of k8s/rbac, which also looks at the console, as docs/rbac.md says."""
    file = account(NAMESPACE, folder)
    looking = accounts(NAMESPACE, of=VIEWER)
    (binding,) = [one for one in looking if one["kind"] == "RoleBinding"]
    subjects = [{"kind": "ServiceAccount", "name": OPERATOR.name, "namespace": NAMESPACE}]
    own = {**binding, "metadata": {**binding["metadata"], "name": "graylane-looks"}, "subjects": subjects}
    apply([*looking, own])
    return file


def settled() -> None:
    """All Pods are there."""
    kubectl("wait", "--for=condition=Available", "deployment", "--all", "-n", NAMESPACE, "--timeout=110s")
    time.sleep(1)
