"""A take-over of three services under load, by a control plane that holds its pushes back for seconds, while one proxy
stands still for ten of them. No request fails, none gets half of the change, and no step goes on without that proxy.

Run by tests/cluster/in_lab.sh in a lab of its own: there istiod has PILOT_DEBOUNCE_AFTER=4s and PILOT_DEBOUNCE_MAX=9s,
and the Envoys are processes of this machine.
"""

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import load
import pytest
from load_judge import total, wrong
from load_mesh import GRAYLANE, Graylane, apply, available
from load_story import START, Story
from load_world import HOST, NAMESPACE, TAGS, deployments, everywhere, surroundings
from mesh_cluster import WRITTEN, gateway_address, kubectl

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif("GRAYLANE_SLOW_ISTIOD" not in os.environ, reason="needs an istiod that debounces for seconds"),
]
# Untagged requests, prod's and blue's get another version of every service.
TAKEN_OVER = replace(START, lanes={**START.lanes, "prod": everywhere("v2")})
STANDSTILL = 10.0  # seconds
DRAIN = 15  # seconds; longer than a request that the proxy keeps for so long


def envoy(pod: str) -> int:
    """The process of a Pod's sidecar."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        words = path.read_bytes().split(b"\0") if path.exists() else []
        if words and words[0].endswith(b"envoy") and any(pod.encode() in word for word in words):
            return int(path.parent.name)
    pytest.fail(f"no Envoy of {pod} is a process of this machine")


def pod(app: str, version: str) -> str:
    query = (
        "get",
        "pods",
        "-n",
        NAMESPACE,
        "-l",
        f"app={app},version={version}",
        "-o",
        "jsonpath={.items[0].metadata.name}",
    )
    return kubectl(*query).stdout.strip()


@dataclass
class Followed:
    """One apply whose steps are timed. `ended`: the line that told of a step's end, and when (monotonic seconds)."""

    process: "subprocess.Popen[str]"
    ended: list[tuple[str, float]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def until_step(self, number: int) -> None:
        """Returns once so many steps have ended, or the command has."""
        assert self.process.stderr
        while len(self.ended) < number and (line := self.process.stderr.readline()):
            self.said.append(line)
            if line.startswith("step "):
                self.ended.append((line.strip(), time.monotonic()))


def test_a_take_over_waits_for_a_slow_control_plane_and_for_a_proxy_that_stands_still(tmp_path: Path) -> None:
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
    apply(surroundings())
    for version in START.versions:
        apply(deployments(version))
    available()
    kubectl("delete", WRITTEN, "--all", "-n", NAMESPACE)
    story = Story(gateway_address(), HOST, tmp_path / "requests.jsonl", START)
    graylane = Graylane(tmp_path)
    graylane.apply(START)
    still = envoy(pod("mouse", "v1"))
    graylane.spec.write_text(TAKEN_OVER.spec())
    command = [GRAYLANE, "apply", "-f", str(graylane.spec), f"--drain={DRAIN}", *graylane.flags]
    story.ready()
    with (
        load.load(story.address, HOST, TAGS, story.out, seconds=900, rate=60),
        story.change("take over, one proxy standing still", TAKEN_OVER),
        subprocess.Popen(command, env=graylane.environment, stderr=subprocess.PIPE, text=True) as process,
    ):
        followed = Followed(process)
        followed.until_step(2)  # what the third step writes is pushed four seconds from now at the soonest
        os.kill(still, signal.SIGSTOP)
        stopped = time.monotonic()
        try:
            time.sleep(STANDSTILL)
        finally:
            os.kill(still, signal.SIGCONT)
        resumed = time.monotonic()
        followed.until_step(99)
    print(story.tell("take over by a slow control plane"))
    assert process.returncode == 0, "".join(followed.said)
    assert len(followed.ended) == 5, "".join(followed.said)  # a change by tag generation
    went_on = [line for line, at in followed.ended if stopped < at < resumed]
    assert not went_on, f"went on without the proxy that stood still: {went_on}"
    whole = total(story.rows())
    assert (whole.failed, whole.mixed) == (0, 0), wrong(story.rows())
    assert whole.sent > 1000
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")
