"""Pairs of a spec and what it renders to, found by glob: every example, and every case of tests/golden.

`make golden` rewrites what comes out; read the diff before you commit it.
"""

import os
from pathlib import Path

import pytest

from meshconfig.groups import read
from meshconfig.render import render, to_yaml

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
SPECS = sorted([*ROOT.glob("examples/*/graylane*.yaml"), *GOLDEN.glob("*/in.yaml")])


def expected(spec: Path) -> Path:
    if spec.parent.parent == GOLDEN:
        return spec.with_name("out.yaml")
    return GOLDEN / "examples" / f"{spec.parent.name}.{spec.stem}.yaml"


def test_there_are_specs_to_compare():
    assert len(SPECS) > 3


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_spec_renders_to_the_same_bytes(spec: Path):
    text = to_yaml(render([group.model for group in read([str(spec)])]))
    golden = expected(spec)
    if os.environ.get("GRAYLANE_GOLDEN") == "rewrite":
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text)
    assert golden.read_text() == text


def test_no_golden_file_is_left_without_its_spec():
    left = {*GOLDEN.glob("*/out.yaml"), *GOLDEN.glob("examples/*.yaml")} - {expected(spec) for spec in SPECS}
    assert not left
