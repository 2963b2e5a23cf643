"""What every example and golden case renders to with the backend `gateway`, or what its author is told instead.

`make golden` rewrites the files; read the diff before you commit it.
"""

import os
from pathlib import Path

import pytest

from meshconfig.errors import InputError
from meshconfig.groups import groups
from meshconfig.load import load
from meshconfig.render import render, to_yaml

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "gateway"
SPECS = sorted([*ROOT.glob("examples/*/graylane*.yaml"), *ROOT.glob("tests/golden/*/in.yaml")])


def rendered(spec: Path) -> str:
    """The resources of a spec whose services have selectors; else the problems, without the names of files."""
    documents = [one for one in load([str(spec)]) if one.own]
    for document in documents:
        for name, service in document.value["spec"].get("services", {}).items():
            if "external" not in service:
                service.setdefault("selector", {"app": name})
    try:
        return to_yaml(render([group.model for group in groups(documents, backend="gateway")]))
    except InputError as error:
        return "".join(f"# {one.path}: {one.message}\n" for one in error.problems)


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_spec_renders_to_the_same_resources_of_the_gateway_api(spec: Path) -> None:
    text = rendered(spec)
    golden = GOLDEN / f"{spec.parent.name}{'' if spec.stem == 'in' else f'.{spec.stem}'}.yaml"
    if os.environ.get("GRAYLANE_GOLDEN") == "rewrite":
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text)
    assert golden.read_text() == text


def test_no_golden_file_is_left_without_its_spec() -> None:
    names = {f"{one.parent.name}{'' if one.stem == 'in' else f'.{one.stem}'}.yaml" for one in SPECS}
    assert {one.name for one in GOLDEN.iterdir()} == names
