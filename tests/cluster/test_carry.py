"""Sidecars log by OTLP as a rendered Telemetry asks, and `graylane carry` finds the calls that lost the tag."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from carry_lab import GRAYLANE, HOST, OTLP_PORT, asking, meshed
from mesh_cluster import Cluster, gateway_address, until

pytestmark = pytest.mark.cluster

NAMESPACE = "graylane-carry"
REQUESTS, EVERY = 60, 6  # of these, each sixth call loses its tag


@pytest.fixture
def namespace(tmp_path: Path) -> Any:
    with meshed(NAMESPACE, tmp_path):
        yield


def test_the_calls_that_lost_their_tag_are_found(namespace: Any) -> None:
    mesh = Cluster(gateway_address())

    def ask(sent: str | None, carried: str | None) -> Any:
        return mesh.ask_gateway(HOST, "/", [*asking(NAMESPACE, carried), *([("env", sent)] if sent else [])])

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
