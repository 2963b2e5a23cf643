"""Two operators and one real API server: one works, the other is told; who is killed is succeeded."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from mesh_cluster import kubectl

from meshconfig.cluster import lock
from meshconfig.cluster.client import Client
from meshconfig.cluster.lease import Record, lease_key, manifest
from meshconfig.cluster.lock import Lock, LockHeld, LockLost

pytestmark = pytest.mark.cluster
NAMESPACE = "graylane-lock"
OPERATOR = f"""
import sys
from meshconfig.cluster.client import Client
from meshconfig.cluster.lock import Lock, LockHeld
try:
    with Lock(Client.connect(), "{NAMESPACE}", sys.argv[1]) as held:
        held.check()
        print("has it", flush=True)
        sys.stdin.readline()
        held.check()
except LockHeld as error:
    print(error, flush=True)
"""


@pytest.fixture(scope="module", autouse=True)
def namespace():
    kubectl("create", "namespace", NAMESPACE)
    yield
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture
def client():
    return Client.connect()


@pytest.fixture
def operator():
    """Starts another process that wants the group's Lease and holds it until it is told a line."""
    started = []

    def start(group):
        process = subprocess.Popen(
            [sys.executable, "-c", OPERATOR, group], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_of_two_processes_at_once_one_wins_and_the_other_names_it(operator):
    processes = [operator("race") for _ in range(4)]
    said = {process.pid: process.stdout.readline().strip() for process in processes}
    winners = [pid for pid, line in said.items() if line == "has it"]
    assert len(winners) == 1
    for pid, line in said.items():
        assert pid in winners or f"process {winners[0]} has held the lease graylane-race since" in line


def test_who_comes_after_the_end_gets_it(client, operator):
    first = operator("ends")
    assert first.stdout.readline() == "has it\n"
    with pytest.raises(LockHeld, match="wait until it ends"), Lock(client, NAMESPACE, "ends"):
        pass
    first.communicate("\n")
    with Lock(client, NAMESPACE, "ends") as held:
        held.check()


def test_who_was_killed_is_succeeded_at_once(client, operator):
    first = operator("killed")
    assert first.stdout.readline() == "has it\n"
    first.kill()
    first.wait()
    with Lock(client, NAMESPACE, "killed") as held:
        held.check()
        assert lock.holder(lock.read(client, NAMESPACE, "killed")) == held.me.name
    assert lock.holder(lock.read(client, NAMESPACE, "killed")) == ""


def test_who_is_robbed_is_told_before_the_next_write(client, monkeypatch):
    monkeypatch.setattr(lock, "RENEW", 0.05)
    with Lock(client, NAMESPACE, "robbed") as held:
        kubectl("patch", "lease", "graylane-robbed", "-n", NAMESPACE, "--type=merge", "-p", edit("eve@elsewhere/1/2/3"))
        held._keeper.join(30)
        with pytest.raises(LockLost, match="eve@elsewhere, process 1 took it"):
            held.check()
    assert lock.read(client, NAMESPACE, "robbed").holder == "eve@elsewhere/1/2/3"


def test_an_edit_by_others_does_not_lose_it(client, monkeypatch):
    monkeypatch.setattr(lock, "RENEW", 0.05)
    with Lock(client, NAMESPACE, "edited") as held:
        first = lock.read(client, NAMESPACE, "edited").renewed
        kubectl("label", "lease", "graylane-edited", "-n", NAMESPACE, "colour=blue")
        while lock.read(client, NAMESPACE, "edited").renewed <= first + timedelta(seconds=0.2):
            held.check()


def test_an_expired_one_is_taken_only_by_who_says_so(client):
    moment = datetime.now(UTC) - timedelta(minutes=1)
    dead = Record("eve@elsewhere/1/2/3", "elsewhere", moment, moment, duration=1)
    text = yaml.safe_dump(manifest(lease_key(NAMESPACE, "expired"), "expired", dead))
    kubectl("create", "-f", "-", stdin=text)
    with pytest.raises(LockHeld, match="then --break-lock takes it over"), Lock(client, NAMESPACE, "expired"):
        pass
    with Lock(client, NAMESPACE, "expired", break_lock=True) as held:
        held.check()
        spec = json.loads(kubectl("get", "lease", "graylane-expired", "-n", NAMESPACE, "-o", "json").stdout)["spec"]
        assert spec["holderIdentity"] == held.me.name
        assert spec["leaseTransitions"] == 1


def edit(holder):
    return json.dumps({"spec": {"holderIdentity": holder}})
