"""k8s/mesh is up to date: `graylane render -f examples/cat-mouse/graylane.yaml -o k8s/mesh`."""

from pathlib import Path

from meshconfig.compile import compile_group
from meshconfig.groups import read
from meshconfig.render import file_name, render, to_yaml

ROOT = Path(__file__).parents[2]


def test_the_rendered_mesh_is_current():
    groups = read([str(ROOT / "examples" / "cat-mouse" / "graylane.yaml")])
    wanted = {file_name(one): to_yaml([one]) for one in render([compile_group(group.spec) for group in groups])}
    assert {file.name: file.read_text() for file in (ROOT / "k8s" / "mesh").iterdir()} == wanted
