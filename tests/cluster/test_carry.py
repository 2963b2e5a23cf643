"""Sidecars log by OTLP as a rendered Telemetry asks, and `graylane carry` finds the calls that lost the tag."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml
from mesh_cluster import ISTIOD, PORT, Cluster, Manifest, deployment, gateway_address, kubectl, until
from mesh_namespace import surroundings
from otlp_service import NAME, otlp_service

pytestmark = pytest.mark.cluster

NAMESPACE, HOST = "graylane-carry", "carry.graylane.test"
GRAYLANE = [sys.executable, "-c", "from meshconfig.cli import main; main()"]
OTLP_PORT = 4317
REQUESTS, EVERY = 60, 6  # of these, each sixth call loses its tag
SPEC = f"""
apiVersion: graylane/v1
kind: LaneGroup
metadata: {{name: carry, namespace: {NAMESPACE}}}
spec:
  lanes: {{prod: {{}}, gray: {{}}}}
  services:
    cat:
      host: cat-svc
      port: {PORT}
      calls: [mouse]
      versions: {{prod: {{labels: {{env: prod}}}}, gray: {{labels: {{env: gray}}}}}}
    mouse:
      host: mouse-svc
      port: {PORT}
      versions: {{prod: {{labels: {{env: prod}}}}, gray: {{labels: {{env: gray}}}}}}
  entries:
    - hosts: [{HOST}]
      routes: [{{service: cat}}]
"""


def graylane(*arguments: str) -> str:
    done = subprocess.run([*GRAYLANE, *arguments], capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def of_namespace(one: Manifest) -> Manifest:
    return {**one, "metadata": {**one["metadata"], "namespace": NAMESPACE}}


@pytest.fixture
def namespace(tmp_path: Path) -> Any:
    with urlopen(f"{ISTIOD}/debug/mesh", timeout=10) as answer:
        if NAME.encode() not in answer.read():
            pytest.skip(f"the mesh has no extensionProvider {NAME}: docs/carry.md")
    versions = [of_namespace(deployment(name, lane)) for name in ("cat", "mouse") for lane in ("prod", "gray")]
    made = [*surroundings(NAMESPACE, ("cat", "mouse"), PORT), *otlp_service(NAMESPACE, OTLP_PORT), *versions]
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(made))
    kubectl("wait", "--for=condition=Available", "deployment", "--all", "-n", NAMESPACE, "--timeout=110s")
    spec = tmp_path / "graylane.yaml"
    spec.write_text(SPEC)
    graylane("apply", "-f", str(spec), "--wait", "5")
    rendered = yaml.safe_load_all(graylane("render", "-f", str(spec), "--telemetry"))
    telemetry = [one for one in rendered if one["kind"] == "Telemetry"]
    kubectl("apply", "--server-side", "-f", "-", "--dry-run=server", stdin=yaml.safe_dump_all(telemetry))
    for one in telemetry:
        del one["spec"]["metrics"]  # the lab's Envoys are stock ones, without Istio's filter for metrics
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(telemetry))
    yield
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def test_the_calls_that_lost_their_tag_are_found(namespace: Any) -> None:
    mesh = Cluster(gateway_address())
    mouse = f"GET http://mouse-svc.{NAMESPACE}:{PORT}/eat"

    def ask(sent: str | None, carried: str | None) -> Any:
        headers = [("x-ask", mouse), ("x-ask-headers", json.dumps([["env", carried]] if carried else []))]
        return mesh.ask_gateway(HOST, "/", [*headers, *([("env", sent)] if sent else [])])

    for lane in ("gray", None):
        until(lambda lane=lane: ask(lane, lane).status == 200, "the entry")
    command = [*GRAYLANE, "carry", "-n", NAMESPACE, "--otlp-listen", f"0.0.0.0:{OTLP_PORT}", "--window", "25s"]
    pipe = subprocess.PIPE
    with subprocess.Popen([*command, "--output", "json"], stdout=pipe, stderr=pipe, text=True) as run:
        assert run.stderr
        assert "listening at" in run.stderr.readline()
        for number in range(REQUESTS):
            told = ask("gray", None if number % EVERY == 0 else "gray"), ask(None, None)
            assert [one.status for one in told] == [200, 200]
        out, err = run.communicate(timeout=120)
    print(out, err)
    assert run.returncode == 1, err
    versions = {(one["service"], one["version"]): one for one in json.loads(out)["groups"][0]["versions"]}
    cat = versions["cat", "gray"]
    assert (cat["judgedBy"], cat["lost"]) == ("lane", REQUESTS // EVERY)
    assert cat["carried"] >= REQUESTS - REQUESTS // EVERY  # and some that were sent before it listened
    assert cat["callees"] == {"mouse": cat["carryRate"]}
    assert {(one["path"], one["service"], one["version"]) for one in cat["lostCalls"]} == {("/eat", "mouse", "prod")}
    assert versions["cat", "prod"]["carryRate"] is None
