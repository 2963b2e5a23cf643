"""The runner itself: it ends in time, counts, keeps what failed, and says how to try that again."""

import subprocess
import sys
import time

import fuzz_runner as runner
import pytest

pytestmark = pytest.mark.slow

FINE = """\
from hypothesis import given, strategies as st
@given(st.integers(), st.data())
def test_fine(one, data):
    data.draw(st.lists(st.integers()))
"""
WRONG = """\
from hypothesis import given, strategies as st
@given(st.integers(0, 100_000))
def test_wrong(number):
    assert number < 777
"""
SEEDED = """\
from fuzzing import fuzz
@fuzz
def test_seeded(rng):
    assert rng.random() < 0.9
"""
CRASH = """\
import os
def test_crash():
    os.abort()
"""
HANG = """\
import time
def test_hang():
    time.sleep(1000)
"""


@pytest.fixture
def target(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "STORE", tmp_path / "store")
    monkeypatch.setattr(runner, "STARTING", 0.5)

    def make(text):
        file = tmp_path / "test_toy.py"
        file.write_text(text)
        return runner.Target(f"{file}::{text.partition('def ')[2].partition('(')[0]}")

    return make


def test_a_test_without_a_finding_goes_on_to_the_end_and_is_counted(target):
    one, begun = target(FINE), time.monotonic()
    runner.fuzz([one], 6, 1)
    assert time.monotonic() - begun < 60
    assert (one.finding, one.inputs > 50) == ("", True)
    assert " 0" in runner.summary([one]).splitlines()[-1]


def test_a_finding_is_shrunk_and_can_be_tried_again(target):
    one = target(WRONG)
    runner.fuzz([one], 4, 1)
    assert "number=777" in one.finding
    assert f"make fuzz REPLAY={one.name}" in runner.findings([one])
    done = subprocess.run(
        runner.command(one.name), cwd=runner.ROOT, env=runner.environment(0, runner.STORE / "report"),
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, "number=777" in done.stdout) == (1, True)


def test_a_seed_that_failed_is_tried_first(target):
    one = target(SEEDED)
    runner.turn(one, 2)
    seed = one.finding.partition("test_seeded(Random(")[2].partition(")")[0]
    assert (runner.STORE / "seeds" / "test_seeded").read_text() == f"{seed}\n"
    again = runner.Target(one.name)
    runner.turn(again, 2)
    assert again.inputs == 1
    assert f"Random({seed})" in again.finding


def test_a_crash_and_a_hang_are_findings(target, monkeypatch):
    crash = target(CRASH)
    runner.turn(crash, 1)
    assert "Fatal Python error: Aborted" in crash.finding
    monkeypatch.setattr(runner, "PATIENCE", 5.0)
    hang = target(HANG)
    runner.turn(hang, 1)
    assert hang.finding.splitlines()[1] == "it did not end within 5 s of its time"
    assert "test_hang" in hang.finding


def test_the_tests_with_the_mark_are_found():
    found = [one.name for one in runner.targets("test_fuzz_stored")]
    assert len(found) >= 4
    assert all(name.startswith("tests/fuzz/test_fuzz_stored.py::") for name in found)
    assert sys.executable in runner.command("x")
