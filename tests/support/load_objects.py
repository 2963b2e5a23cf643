"""A mesh that is changed by objects alone: `kubectl apply` of a LaneGroup, and a controller that makes it true."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from account import CONTROLLER, Account, account
from load_mesh import GRAYLANE, Spec
from load_world import GROUP, NAMESPACE
from mesh_cluster import ISTIOD, kubectl

PATIENCE = 240.0


class ControllerProcess:
    """`graylane controller` as the account of k8s/controller. It can be killed, and begun again.

    Parameters:
        through: a port on loopback that leads to the API server; None for the way of everybody.
        of: its account.
    """

    def __init__(
        self,
        folder: Path,
        namespace: str = NAMESPACE,
        name: str = "controller",
        through: int | None = None,
        of: Account = CONTROLLER,
    ) -> None:
        self.log = folder / f"{name}.log"
        kubeconfig = account(namespace, folder, of=of)
        if through is not None:
            config = json.loads(kubeconfig.read_text())
            config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{through}"
            kubeconfig = folder / f"{name}.kubeconfig"
            kubeconfig.write_text(json.dumps(config))
        self.environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        self.command = [GRAYLANE, "controller", "-n", namespace, f"--istiod={ISTIOD}", "--timeout=120"]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, env=self.environment, stdout=log, stderr=log)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process:
            with suppress(ProcessLookupError):
                self.process.send_signal(how)
            self.process.wait(60)
            self.process = None

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    @contextmanager
    def running(self) -> Iterator["ControllerProcess"]:
        self.start()
        try:
            yield self
        finally:
            self.stop()
            print(self.said()[-6000:])

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Objects:
    """`kubectl apply` of a group, as people and Git controllers do it."""

    def __init__(self, namespace: str = NAMESPACE, group: str = GROUP) -> None:
        self.namespace, self.group = namespace, group

    def write(self, world: "Spec") -> None:
        """Returns as soon as the object is written."""
        value = {**yaml.safe_load(world.spec()), "apiVersion": "graylane.dev/v1"}
        text = yaml.safe_dump(value, sort_keys=False)
        kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=git", "-f", "-", stdin=text)

    def apply(self, world: "Spec") -> None:
        """Returns when it is true at every proxy."""
        self.write(world)
        self.settled()

    def read(self) -> dict[str, Any]:
        query = (
            "get",
            f"lanegroups.graylane.dev/{self.group}",
            "-n",
            self.namespace,
            "-o",
            "json",
            "--ignore-not-found",
        )
        text = kubectl(*query).stdout
        return json.loads(text) if text.strip() else {}

    def settled(self) -> None:
        """Waits until the group is Ready, as `kubectl wait` and Flux do."""
        end = time.monotonic() + PATIENCE
        while True:
            one = self.read()
            conditions = {each["type"]: each for each in one.get("status", {}).get("conditions", [])}
            seen = one.get("status", {}).get("observedGeneration") == one["metadata"]["generation"]
            if seen and conditions.get("Ready", {}).get("status") == "True":
                return
            assert time.monotonic() < end, f"not Ready: {json.dumps(one.get('status'), indent=1)}"
            time.sleep(0.2)
