"""cat → mouse in the lanes prod and gray, whose sidecars send access logs to this machine. A request says itself whom
cat calls and with which tag: so a test decides which call loses it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml
from mesh_cluster import ISTIOD, PORT, Manifest, deployment, kubectl
from mesh_namespace import surroundings
from otlp_service import NAME, otlp_service

HOST, GROUP, OTLP_PORT = "carry.graylane.test", "carry", 4317
GRAYLANE = [sys.executable, "-c", "from meshconfig.cli import main; main()"]
SPEC = """
apiVersion: graylane/v1
kind: LaneGroup
metadata: {{name: carry, namespace: {namespace}}}
spec:
  lanes: {{prod: {{}}, gray: {{}}}}
  services:
    cat:
      host: cat-svc
      port: {port}
      calls: [mouse]
      versions: {{prod: {{labels: {{env: prod}}}}, gray: {{labels: {{env: gray}}}}}}
    mouse:
      host: mouse-svc
      port: {port}
      versions: {{prod: {{labels: {{env: prod}}}}, gray: {{labels: {{env: gray}}}}}}
  entries:
    - hosts: [{host}]
      routes: [{{service: cat}}]
"""


def graylane(*arguments: str) -> str:
    done = subprocess.run([*GRAYLANE, *arguments], capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def asking(namespace: str, carried: str | None) -> list[tuple[str, str]]:
    """The headers by which cat calls mouse.

    Parameters:
        carried: the tag that cat passes on; None for none.
    """
    mouse = f"GET http://mouse-svc.{namespace}:{PORT}/eat"
    return [("x-ask", mouse), ("x-ask-headers", json.dumps([["env", carried]] if carried else []))]


@contextmanager
def meshed(namespace: str, folder: Path) -> Iterator[None]:
    """It runs while the block does. Skips the test where the mesh has no provider for the logs."""
    with urlopen(f"{ISTIOD}/debug/mesh", timeout=10) as answer:
        if f"{NAME}.{namespace}".encode() not in answer.read():
            pytest.skip(f"the mesh has no extensionProvider {NAME} of {namespace}: docs/carry.md")
    kubectl("delete", "namespace", namespace, "--ignore-not-found")  # an earlier test's takes a while to end
    versions = [_of(namespace, deployment(name, lane)) for name in ("cat", "mouse") for lane in ("prod", "gray")]
    made = [*surroundings(namespace, ("cat", "mouse"), PORT), *otlp_service(namespace, OTLP_PORT), *versions]
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(made))
    kubectl("wait", "--for=condition=Available", "deployment", "--all", "-n", namespace, "--timeout=110s")
    spec = folder / "graylane.yaml"
    spec.write_text(SPEC.format(namespace=namespace, port=PORT, host=HOST))
    graylane("apply", "-f", str(spec), "--wait", "5")
    rendered = yaml.safe_load_all(graylane("render", "-f", str(spec), "--telemetry"))
    telemetry = [one for one in rendered if one["kind"] == "Telemetry"]
    kubectl("apply", "--server-side", "-f", "-", "--dry-run=server", stdin=yaml.safe_dump_all(telemetry))
    for one in telemetry:
        del one["spec"]["metrics"]  # the lab's Envoys are stock ones, without Istio's filter for metrics
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(telemetry))
    yield
    kubectl("delete", "namespace", namespace, "--wait=false")


def _of(namespace: str, one: Manifest) -> Manifest:
    return {**one, "metadata": {**one["metadata"], "namespace": namespace}}
