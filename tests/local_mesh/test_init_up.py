"""What `graylane init` writes runs at once by `graylane local up`: a stand-in answers for each version and calls on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from local_lab import GRAYLANE, ask

pytestmark = [pytest.mark.envoy, pytest.mark.slow]
DEMO = Path(__file__).parents[2] / "k8s" / "demo"
HOST = ("host", "cat-svc.example.com")


def chain(body):
    """Who answered: (service, version, the tag that it saw), hop by hop."""
    while body:
        yield body["service"], body["version"], body["headers"].get("env")
        body = next(iter(body.get("calls", ())), None)


def test_a_first_spec_runs_with_stand_ins(graylane, tmp_path):
    made = subprocess.run([*GRAYLANE, "init", "-f", str(DEMO), "-o", str(tmp_path)], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    up = graylane("local", "up", "-f", str(tmp_path / "graylane.yaml"))
    up.until("Ctrl-C stops")
    port = up.port("gateway")
    tagged, plain = (ask(port, "/sayHello", headers) for headers in ([HOST, ("env", "gray")], [HOST]))
    assert (tagged.status, plain.status) == (200, 200)
    assert list(chain(json.loads(tagged.body))) == [("cat-svc", "gray", "gray"), ("mouse-svc", "gray", "gray")]
    assert list(chain(json.loads(plain.body))) == [("cat-svc", "prod", None), ("mouse-svc", "prod", None)]
    up.until("cat-svc/gray → mouse-svc/gray")


def test_the_stand_in_says_what_it_takes():
    done = subprocess.run([sys.executable, "-m", "meshconfig.local.echo", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "--carry HEADER" in done.stdout
