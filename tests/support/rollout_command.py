"""`graylane rollout` as a person types it, and `graylane controller` as a process that may be killed."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import Any

from account import CONTROLLER, account
from load_mesh import GRAYLANE
from mesh_cluster import ISTIOD, until
from rollout_mesh import NAMESPACE

Status = dict[str, Any]

AT_WORK = "drives rollouts"  # as a controller says when it has got the Lease
PATIENCE = 300.0  # seconds for anything that a rollout does at all, on a machine that does much else
MESH = [f"--istiod={ISTIOD}", "--timeout=60"]


class Person:
    """Somebody at a terminal, with the rights of k8s/rbac."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "KUBECONFIG": str(account(NAMESPACE, folder))}

    def run(self, *words: str) -> str:
        command = [GRAYLANE, *words]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=PATIENCE)
        said = f"graylane {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        assert done.returncode == 0, said
        return done.stdout

    def apply(self, group: str) -> None:
        self.run("apply", "-f", self._file("graylane.yaml", group), *MESH)

    def render(self, group: str) -> str:
        return self.run("render", "-f", self._file("expected.yaml", group))

    def start(self, rollout: str, note: str = "") -> None:
        self.run("rollout", "start", "-f", self._file("rollout.yaml", rollout), *_said("eva", note))

    def decide(self, what: str, name: str, note: str = "") -> None:
        """`approve`, `pause`, `resume`, `abort` or `rollback`."""
        self.run("rollout", what, name, "-n", NAMESPACE, *_said("eva", note))

    def sees(self, name: str, what: str) -> Status:
        """Waits until the rollout is in this phase or stage."""
        return self.waits(name, lambda status: what in (status["phase"], status["stage"]), what)

    def waits(self, name: str, condition: Callable[[Status], bool], what: str) -> Status:
        last = "not there"
        with closing(self.watches(name)) as seen:
            for status in seen:
                if condition(status):
                    return status
                last = told(status)
        raise AssertionError(f"{name} never was: {what}\n{last}")

    def watches(self, name: str) -> Generator[Status]:
        """Each state that is seen, until the rollout has ended."""
        command = [GRAYLANE, "rollout", "status", name, "-n", NAMESPACE, "--watch", "--output=json"]
        with subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, text=True) as watch:
            patience = threading.Timer(PATIENCE, watch.kill)
            patience.start()
            try:
                assert watch.stdout
                yield from map(json.loads, watch.stdout)
            finally:
                patience.cancel()
                watch.kill()

    def _file(self, name: str, text: str) -> str:
        file = self.folder / name
        file.write_text(text)
        return str(file)


def _said(who: str, note: str) -> list[str]:
    return [f"--by={who}", *([f"--note={note}"] if note else [])]


def told(status: Status) -> str:
    """The log, a line for each entry."""
    lines = [
        f"  {one['at'][11:19]} {one['who']}: {one['action']} → {one['stage']} {one['why']}" for one in status["log"]
    ]
    return "\n".join([f"{status['name']}: {status['phase']}, {status['stage']}; {status['why']}", *lines])


class Controller:
    """`graylane controller`, with the rights of k8s/controller, while the block runs; what it says is in `log`."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "controller.log"
        self.environment = {**os.environ, "KUBECONFIG": str(account(NAMESPACE, folder, of=CONTROLLER))}
        self.begun = 0
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Controller":
        self.begin()
        return self

    def begin(self) -> None:
        self.begun += 1
        with self.log.open("ab") as log:
            command = [GRAYLANE, "controller", "-n", NAMESPACE, *MESH, "--allow-host", "127.0.0.1"]
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)

    def killed(self, seconds: float) -> str:
        """kill -9, that long after it has got to work; the last that it said."""
        self._works()
        time.sleep(seconds)
        assert self._ended(signal.SIGKILL) == -signal.SIGKILL, f"it had ended by itself: {self._said()}"
        return self._said().splitlines()[-1]

    def __exit__(self, *raised: object) -> None:
        """It ends well when it is told to, and not before."""
        if raised[0] is None:
            self._works()
        assert self.process
        before, code = self.process.poll(), self._ended(signal.SIGTERM)
        if raised[0] is None:
            assert (before, code) == (None, 0), self._said()

    def _works(self) -> None:
        until(lambda: self._said().count(AT_WORK) >= self.begun, f"a controller at work: {self.log}")

    def _said(self) -> str:
        return self.log.read_text()

    def _ended(self, by: signal.Signals) -> int:
        assert self.process
        self.process.send_signal(by)
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()
