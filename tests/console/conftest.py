"""Chromium, axe-core, and the mesh on this machine with its console."""

import signal
import threading
import time

import axe_core
import pytest
from chromium import chromium
from local_lab import Command, ask

PETS = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
spec:
  trail: true
  lanes: {prod: {}, gray: {}}
  services:
    cat: {host: cat-svc, port: 9001, calls: [mouse], versions: {prod: {labels: {v: a}}, gray: {labels: {v: b}}}}
    mouse: {host: mouse-svc, port: 9001, versions: {prod: {labels: {v: a}}}}
  entries:
    - {hosts: [cat.example.com], links: /.lane, cookie: lane, routes: [{service: cat}]}
"""
LOCAL = """\
apiVersion: graylane/v1
kind: LocalMesh
metadata: {name: pets, namespace: demo}
spec:
  workloads:
    cat:
      prod: {command: "python -m demo_services --name cat --port {port} --env prod --service-url {mouse}/sayHello"}
      gray: {command: "python -m demo_services --name cat --port {port} --env gray --service-url {mouse}/sayHello"}
    mouse:
      prod: {command: "python -m demo_services --name mouse --port {port} --env prod --stack wsgi"}
"""
TRAIL = {"PROPAGATION_TRAIL": "true"}


@pytest.fixture(scope="session")
def browser():
    with chromium() as one:
        yield one


@pytest.fixture(scope="session")
def axe():
    return axe_core.script()


class LocalMesh:
    """`graylane local up --console`, and requests to it all the time."""

    def __init__(self, command, spec):
        self.command, self.spec = command, spec
        self.address = command.until("console  ").split()[1]
        self.port, self.failed, self.sent = command.port("gateway"), 0, 0
        self.stopped = threading.Event()
        self.sending = threading.Thread(target=self._send)

    def _send(self):
        while not self.stopped.wait(1 / 30):
            lane = [("env", "gray")] if self.sent % 2 else []
            self.sent += 1
            self.failed += ask(self.port, "/sayHello", [("host", "cat.example.com"), *lane]).status != 200

    def __enter__(self):
        self.sending.start()
        return self

    def __exit__(self, *raised):
        self.stopped.set()
        self.sending.join()
        self.command.stop(signal.SIGTERM)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory, browser):
    folder = tmp_path_factory.mktemp("pets")
    (folder / "graylane.yaml").write_text(PETS)
    (folder / "local.yaml").write_text(LOCAL)
    command = Command(
        "local", "up", "-f", str(folder / "graylane.yaml"), "--console", temporary=tmp_path_factory.mktemp("tmp")
    )
    try:
        command.until("Ctrl-C stops", patience=90)
        with LocalMesh(command, folder / "graylane.yaml") as one:
            time.sleep(3)  # of requests, so that there is something to see
            yield one
    finally:
        command.process.kill()
