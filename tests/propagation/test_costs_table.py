"""README's table of what carrying costs has the rows and columns that benchmarks/carry.py prints."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def carry(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    spec = importlib.util.spec_from_file_location("carry", ROOT / "benchmarks" / "carry.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("carry_ways", None)


def test_readmes_table_is_of_the_shape_that_the_benchmark_prints(carry):
    results = [
        (row.title, {carry.OURS: 1.0, carry.OTEL: 300.0} | {name: 9.0 for name in row.targets if name != carry.OTEL})
        for row in carry.ROWS
    ]
    printed = list(carry.markdown(results))
    readme = (ROOT / "README.md").read_text()
    table = readme[readme.index(printed[0]) :].split("\n\n")[0].splitlines()
    assert [shape(line) for line in table] == [shape(line) for line in printed]


def shape(line):
    """A row with figures left out."""
    return re.sub(r"[0-9][0-9.]*", "N", line)


def test_every_comparison_runs(carry):
    for row in carry.ROWS:
        compared = row.ways()
        assert {carry.BARE, carry.OURS, *row.targets} <= compared.keys()
        for way in compared.values():
            way(2)
    for calls in (0, 1):
        for way in carry.ways.trail(calls).values():
            way(2)
