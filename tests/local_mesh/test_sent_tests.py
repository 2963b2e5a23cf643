"""`graylane test --send` with a real Envoy: the example's own tests, answered by the demo's services."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.envoy, pytest.mark.slow]

EXAMPLE = Path(__file__).parents[2] / "examples" / "cat-mouse"
GRAYLANE = (sys.executable, "-c", "from meshconfig.cli import main; main()")


def run(*arguments):
    return subprocess.run([*GRAYLANE, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.fixture
def up(graylane, tmp_path):
    folder = tmp_path / "example"
    shutil.copytree(EXAMPLE, folder)
    mesh = graylane("local", "up", "-f", str(folder))
    mesh.until("Ctrl-C stops")
    return folder, f"127.0.0.1:{mesh.port('gateway')}"


def test_the_example_s_tests_hold_for_what_runs(up):
    folder, gateway = up
    ended = run("test", folder, "--send", gateway, "--output", "json")
    assert ended.returncode == 0, ended.stdout
    told = json.loads(ended.stdout)
    assert (told["passed"], told["failed"]) == (8, 0)
    unsent = [one["name"] for one in told["cases"] if any(note.startswith("not sent") for note in one["notes"])]
    assert unsent == [
        "between services the same tags count",
        "between services a tag that no lane has stays",
    ]


def test_shares_and_a_mesh_that_is_not_as_its_spec(up):
    _, gateway = up
    split = EXAMPLE.with_name("entry-split")
    ended = run("test", split / "graylane.yaml", "-t", split / "tests.yaml", "--send", gateway, "--output", "json")
    assert ended.returncode == 1
    by_name = {one["name"]: one["failures"] for one in json.loads(ended.stdout)["cases"]}
    (failed,) = [name for name, failures in by_name.items() if "a tenth is split off" in name and failures]
    assert "sent: expected 90 % for cat/prod; got 0 of 500 answers" in by_name[failed][0]
