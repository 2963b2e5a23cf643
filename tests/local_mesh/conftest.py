"""An Envoy for configurations, files to serve, and `graylane` to serve them."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from local_lab import Command, Envoy

from meshconfig.local.processes import Reaper

BACKEND = Path(__file__).with_name("backend.py")

SPEC = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
spec:
  lanes: {prod: {}, gray: {}}
  services:
    cat:
      host: cat-svc
      port: 9001
      calls: [mouse]
      versions:
        prod: {labels: {env: prod}}
        gray: {labels: {env: gray}}
    mouse:
      host: mouse-svc
      port: 9001
      versions:
        prod: {labels: {env: prod}}
        gray: {labels: {env: gray}}
  entries:
    - hosts: [cat.example.com]
      routes: [{path: {prefix: /}, service: cat}]
"""

LOCAL = f"""\
apiVersion: graylane/v1
kind: LocalMesh
metadata: {{name: pets, namespace: demo}}
spec:
  examplePath: /hello
  workloads:
    cat:
      prod: {{command: [python, {BACKEND}, cat, prod, "{{port}}", "{{mouse}}"]}}
      gray: {{command: [python, {BACKEND}, cat, gray, "{{port}}", "{{mouse}}"]}}
    mouse:
      prod: {{command: [python, {BACKEND}, mouse, prod, "{{port}}"]}}
      gray: {{command: [python, {BACKEND}, mouse, gray, "{{port}}"]}}
"""


@pytest.fixture(scope="session")
def envoy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Envoy]:
    """One Envoy for all tests that bring a configuration."""
    one = Envoy(tmp_path_factory.mktemp("envoy"))
    with Reaper(tmp_path_factory.mktemp("guard")) as reaper:
        one.thread.start()
        one.do(one.start(reaper))
        try:
            yield one
        finally:
            one.do(one.stop())
            one.loop.call_soon_threadsafe(one.loop.stop)
            one.thread.join()
            one.loop.close()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a spec and its workloads."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "graylane.yaml").write_text(SPEC)
    (folder / "local.yaml").write_text(LOCAL)
    return folder


@pytest.fixture
def graylane(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    """Starts `graylane` with these arguments; nothing of it is left after the test."""
    started: list[Command] = []

    def start(*arguments: str) -> Command:
        temporary = tmp_path / f"tmp{len(started)}"
        temporary.mkdir()
        started.append(Command(*arguments, temporary=temporary))
        return started[-1]

    yield start
    for one in started:
        one.stop(signal.SIGTERM)
