"""`graylane rollout run` as a process: it drives until it is told to stop."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.request import urlopen

import pytest
from rollout_world import rollout
from runner_world import NOWHERE, cluster, mesh

from meshconfig.rollout.events import Approve
from meshconfig.rollout.state import Phase, Stage

pytestmark = pytest.mark.slow

__all__ = ["cluster", "mesh"]

SHORT = [{"weight": 10}, {"pause": {}}, {"weight": 100}]
GRAYLANE = Path(sys.executable).with_name("graylane")
PATIENCE = 120.0  # seconds
AT_ONCE = [f"--istiod={NOWHERE}", "--wait=0", "--drain=0"]


@pytest.fixture
def runner(mesh):
    """Starts one more; what still runs at the end is killed."""
    begun = []

    def begin(*options):
        command = [GRAYLANE, "rollout", "run", "-n", "demo", *AT_ONCE, *options]
        # In a group of its own, so that a Ctrl-C is the runner's alone.
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ, start_new_session=True)
        begun.append(process)
        return process

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)


def test_it_drives_and_sigterm_ends_it_well(mesh, runner):
    mesh.start(rollout(SHORT, keepOld=None))
    process = runner()
    until(lambda: mesh.state().stage is Stage.APPROVAL)
    mesh.say(Approve("bob"))
    until(lambda: mesh.state().phase is Phase.SUCCEEDED)
    process.terminate()
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    lines = said.splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \S", line) for line in lines), said
    assert lines[0].endswith(" drives the rollouts of demo")


def test_killed_it_has_lost_nothing_and_the_next_one_takes_over_at_once(mesh, runner):
    mesh.start(rollout(SHORT, keepOld=None))
    first = runner()
    until(lambda: mesh.state().stage is not Stage.PENDING)
    first.kill()
    first.wait()
    runner()
    until(lambda: mesh.state().stage is Stage.APPROVAL)


def test_ctrl_c_ends_it_well_and_a_second_one_at_once(mesh, runner):
    process = runner()
    until(lambda: mesh.api.get("leases", "graylane-controller.leader"))
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    assert not mesh.api.get("leases", "graylane-controller.leader")["spec"]["holderIdentity"]

    asked, answer = threading.Event(), threading.Event()

    def hang(method, path):
        """What it waits for when it is told to stop does not come."""
        if "graylane.dev%2Frollout" in path:
            asked.set()
            answer.wait(PATIENCE)

    mesh.api.before.append(hang)
    process = runner()
    assert asked.wait(PATIENCE)
    process.send_signal(signal.SIGINT)
    assert "another Ctrl-C ends it at once" in [process.stderr.readline() for _ in range(2)][-1]
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    answer.set()


def test_its_metrics_and_its_health_are_served(mesh, runner):
    mesh.start(rollout(SHORT, keepOld=None))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    runner("--metrics", str(port))
    until(lambda: mesh.state().stage is Stage.APPROVAL)
    until(lambda: 'graylane_rollout_phase{name="cat-v2",namespace="demo",phase="Paused"} 1.0' in page(port, "metrics"))
    assert page(port, "healthz") == "ok\n"


def page(port, path):
    with urlopen(f"http://127.0.0.1:{port}/{path}", timeout=PATIENCE) as reply:
        return reply.read().decode()
