"""The ways of changing the mesh under load: the real command as the account of k8s/rbac, and plain kubectl."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import yaml
from account import OPERATOR, Account, account
from load_world import CHAIN, NAMESPACE, World
from mesh_cluster import ISTIOD, Manifest, acknowledged, kubectl, until

GRAYLANE = str(Path(sys.executable).with_name("graylane"))
SETTLED = 1.0  # seconds that a change by kubectl counts as under way after the last acknowledgement, in its favour


def apply(manifests: Iterable[Manifest]) -> None:
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump_all(list(manifests)))


def available() -> None:
    kubectl("wait", "--for=condition=Available", "deployment", "--all", "-n", NAMESPACE, "--timeout=110s")


def scale(version: str, replicas: int) -> None:
    """Returns when the Pods are there, or gone."""
    names = [f"deployment/{name}-{version}" for name in CHAIN]
    kubectl("scale", *names, f"--replicas={replicas}", "-n", NAMESPACE)
    if replicas:
        available()
    query = ("get", "pods", "-l", f"version={version}", "-n", NAMESPACE, "-o", "name")
    until(lambda: len(kubectl(*query).stdout.split()) == replicas * len(CHAIN), f"{replicas} of each {version}")


class Spec(Protocol):
    """A state of a mesh that says its spec."""

    def spec(self) -> str: ...


class Graylane:
    """The real command, with no more rights than k8s/rbac gives. It drains as long as it does by itself, 5 s: where the
    machine was busy, one request in a hundred took more than 1 s, and some took 4 s."""

    def __init__(self, folder: Path, namespace: str = NAMESPACE, operator: Account = OPERATOR) -> None:
        self.spec, self.log = folder / "graylane.yaml", folder / "graylane.log"
        self.environment = {**os.environ, "KUBECONFIG": str(account(namespace, folder, of=operator))}
        self.flags = [f"--istiod={ISTIOD}", "--timeout=120"]

    def run(self, *arguments: str) -> str:
        command = [GRAYLANE, *arguments, *self.flags]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=300)
        said = done.stdout + done.stderr
        with self.log.open("a") as log:
            log.write(f"$ graylane {' '.join(arguments)}\n{said}")
        assert done.returncode == 0, f"graylane {' '.join(arguments)}: exit {done.returncode}\n{said}"
        assert "unverified" not in said, said
        return said

    def apply(self, world: "Spec") -> None:
        self.spec.write_text(world.spec())
        self.run("apply", "-f", str(self.spec))

    def killed(self, world: World, steps: int, seconds: float) -> bool:
        """Begins the change and is killed that many seconds after so many of its steps; was it still at it?"""
        self.spec.write_text(world.spec())
        return self.cut_off("apply", "-f", str(self.spec), steps=steps, seconds=seconds)

    def cut_off(self, *arguments: str, steps: int, seconds: float) -> bool:
        """The same for any command."""
        command = [GRAYLANE, *arguments, *self.flags]
        with subprocess.Popen(
            command, env=self.environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        ) as process:
            assert process.stderr
            ended = -1  # the first line is the plan's
            for line in process.stderr:
                ended += ended < 0 or line.startswith(b"step ")
                if ended == steps:
                    break
            time.sleep(seconds)
            process.kill()
        return process.returncode == -signal.SIGKILL


class Kubectl:
    """What graylane renders, applied at once, and then what is no longer rendered deleted."""

    def __init__(self, folder: Path) -> None:
        self.spec = folder / "plain.yaml"
        self.applied: dict[tuple[str, str], Manifest] = {}

    def apply(self, world: World) -> None:
        self.spec.write_text(world.spec())
        command = [GRAYLANE, "render", "-f", str(self.spec)]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        rendered = {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(text)}
        apply(rendered.values())
        for name in self.applied.keys() - rendered.keys():
            kubectl("delete", "-f", "-", stdin=yaml.safe_dump(self.applied[name]))
        self.applied = rendered
        until(acknowledged, "every proxy's acknowledgement")
        time.sleep(SETTLED)
