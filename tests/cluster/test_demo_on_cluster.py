"""The demo's own manifests on a real mesh, by the README's commands: what a tester and a shell in a Pod see of it."""

import http.client
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from in_pod import curl
from mesh_cluster import ISTIOD, gateway_address, kubectl, until

pytestmark = pytest.mark.cluster
ROOT = Path(__file__).parents[2]
MOUSE = "http://mouse-svc:9001/sayHello"


def readme_commands():
    """The README's five commands, from an empty cluster to a gray request; the image is built elsewhere."""
    block = re.search(
        r"^## On a cluster\n.*?```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    commands = block[1].strip().splitlines()
    assert len(commands) == 5
    assert commands[0].startswith("docker build")
    return commands[1:]


def shell(command):
    """As a reader of the README types it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "GATEWAY": gateway_address()}
    done = subprocess.run(command, shell=True, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def ask(headers):
    """(status, [(service, version, the tag it saw), …]) of one request to the entry."""
    host, _, port = gateway_address().rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=15)
    connection.putrequest("GET", "/sayHello", skip_host=True)
    for name, value in [("host", "cat.example.com"), *headers]:
        connection.putheader(name, value)
    connection.endheaders()
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    chain = json.loads(body)["chain"] if reply.status == 200 else []
    return reply.status, [(hop["service"], hop["env"], hop["saw"]) for hop in chain]


def patient(headers):
    """As `ask`; a 503 of the way there is asked once more: a busy machine has a connection reset."""
    answer = ask(headers)
    return ask(headers) if answer[0] == 503 else answer


@pytest.fixture(scope="module")
def demo(cluster):
    apply, wait, routes, ask_for_gray = readme_commands()
    shell(apply)
    shell(wait)
    before = answers([])
    shell(f"{routes} --istiod {ISTIOD}")
    until(lambda: ask([("env", "gray")]) == (200, chain("gray", "gray", "gray")), "gray all the way")
    until(lambda: ask([]) == (200, chain("prod", "prod", None)), "prod all the way")
    assert [hop["env"] for hop in json.loads(shell(ask_for_gray))["chain"]] == ["gray", "gray"]
    yield before
    kubectl("delete", "namespace", "demo")


def answers(headers, times=20):
    """Which versions of mouse answer a shell in a Pod of cat."""
    found = [json.loads(curl("demo", "cat-dp-prod", "cat", MOUSE, headers)) for _ in range(times)]
    return {reply["chain"][-1]["env"] for reply in found}


def test_a_shell_in_a_pod_meets_any_version_before_the_routes_and_its_own_after(demo):
    print(f"\nfrom a shell in a Pod of cat, {MOUSE}: before {sorted(demo)}, after {sorted(answers([]))}")
    assert demo == {"prod", "gray"}
    assert answers([]) == {"prod"}
    assert answers(["env: gray"]) == {"gray"}
    assert answers(["env: prod"]) == {"prod"}


def chain(cat, mouse, saw):
    return [("cat", cat, saw), ("mouse", mouse, saw)]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("env", "gray")], chain("gray", "gray", "gray")),
        ([("env", "prod")], chain("prod", "prod", "prod")),
        ([("env", "daily")], chain("prod", "prod", None)),
        ([], chain("prod", "prod", None)),
        ([("env", "nobody"), ("env", "gray")], chain("gray", "gray", "gray")),
        ([("env", "gray,prod")], chain("prod", "prod", None)),
    ],
)
def test_each_request_keeps_to_its_lane(demo, headers, expected):
    assert [patient(headers) for _ in range(5)] == [(200, expected)] * 5
