"""One mesh for all tests here, on the local Envoy."""

import os

import interop_builds
import pytest
import yaml
from interop_mesh import CARRIES, VERSIONS, spec, workloads
from local_lab import Command, ask, eventually

PATIENCE = 180  # seconds; a Java process starts slowly where others run


@pytest.fixture(scope="session")
def gateway(mesh):
    """The port at which the mesh takes requests from outside."""
    return mesh.port("gateway")


@pytest.fixture(scope="session")
def mesh(tmp_path_factory):
    """`graylane local up`, with each version of each service answering."""
    if missing := interop_builds.missing():
        _give_up(f"needs {', '.join(missing)}")
    try:
        programs = {name: interop_builds.built(name) for name in interop_builds.TOOLS}
    except RuntimeError as error:
        _give_up(str(error))
    folder = tmp_path_factory.mktemp("interop")
    (folder / "graylane.yaml").write_text(yaml.safe_dump(spec()))
    (folder / "local.yaml").write_text(yaml.safe_dump(workloads(programs)))
    command = Command("local", "up", "-f", str(folder / "graylane.yaml"), temporary=tmp_path_factory.mktemp("tmp"))
    try:
        command.until("Ctrl-C stops", patience=PATIENCE)
        port = command.port("gateway")
        waiting = [(name, version) for name in CARRIES for version in VERSIONS[name]]
        eventually(lambda: all(_answers(port, *one) for one in waiting), command.what_it_said, PATIENCE)
        yield command
    finally:
        command.stop()


def _give_up(reason):
    """No peers: skips, and fails where GRAYLANE_INTEROP=required says that they have to be there."""
    (pytest.fail if os.environ.get("GRAYLANE_INTEROP") == "required" else pytest.skip)(reason)


def _answers(port, name, version):
    reply = ask(port, "/chain/", [("host", f"trusted.{name}.example.com"), ("env", version)])
    return reply.status == 200 and version in reply.body.decode()
