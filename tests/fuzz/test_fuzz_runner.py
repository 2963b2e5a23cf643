"""The runner itself: it ends in time, counts, keeps what failed, and says how to try that again."""

import math
import os
import signal
import subprocess
import sys
import threading
import time
from random import Random

import fuzz_runner as runner
import fuzz_turns
import pytest
from fuzz_turns import TURN, Target, Turns

slow = pytest.mark.slow

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
DEAF = """\
import signal, time
def test_deaf():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    time.sleep(1000)
"""
SHRINKS_FOR_EVER = """\
import time
from hypothesis import given, strategies as st
@given(st.lists(st.integers()))
def test_shrinks_for_ever(numbers):
    if numbers:
        time.sleep(1 if len(numbers) == 1 else 0.01)
        assert False, "it has numbers"
"""


@pytest.fixture
def target(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "STORE", tmp_path / "store")
    monkeypatch.setattr(fuzz_turns, "STARTING", 0.5)

    def make(text):
        file = tmp_path / "test_toy.py"
        file.write_text(text)
        return Target(f"{file}::{text.partition('def ')[2].partition('(')[0]}")

    return make


def fuzz(one, seconds):
    runner.fuzz([one], seconds, 1, threading.Event(), time.monotonic())


@slow
def test_a_test_without_a_finding_goes_on_to_the_end_and_is_counted(target):
    one, begun = target(FINE), time.monotonic()
    fuzz(one, 6)
    assert time.monotonic() - begun < 60
    assert (one.finding, one.cut, one.inputs > 50) == ("", False, True)
    assert runner.summary([one]).splitlines()[-1].split()[-1] == "0"


@slow
def test_a_finding_is_shrunk_and_can_be_tried_again(target, tmp_path, capsys):
    one = target(WRONG)
    fuzz(one, 4)
    assert "number=777" in one.finding
    assert f"make fuzz REPLAY={one.name}" in runner.findings([one])
    done = subprocess.run(
        runner.command(one.name), cwd=runner.ROOT, env=runner.environment(0, tmp_path), capture_output=True, text=True
    )
    assert (done.returncode, "number=777" in done.stdout) == (1, True)


@slow
def test_a_finding_is_printed_when_it_is_found_and_kept_when_the_time_ends_before_it_is_shrunk(
    target, capsys, monkeypatch, tmp_path
):
    one = target(SHRINKS_FOR_EVER)
    folder = tmp_path / "turn"
    folder.mkdir()
    turn = runner.Turn(one, 3.0, folder, math.inf, threading.Event())
    announce = runner.announce

    def and_the_time_is_over(found):  # not by the clock: a busy machine may need all of it until something is found
        announce(found)
        turn.last = time.monotonic()

    monkeypatch.setattr(runner, "announce", and_the_time_is_over)
    turn.run()
    said = capsys.readouterr().out
    assert said.count(f"FINDING  {one.name}") == 1
    assert said.count(f"make fuzz REPLAY={one.name}") == 1
    assert "it has numbers" in said
    assert "it has numbers" in one.finding
    assert not one.cut


@slow
def test_a_seed_that_failed_is_tried_first(target):
    one = target(SEEDED)
    fuzz(one, 4)
    seed = one.finding.partition("test_seeded(Random(")[2].partition(")")[0]
    assert (runner.STORE / "seeds" / "test_seeded").read_text() == f"{seed}\n"
    again = Target(one.name)
    fuzz(again, 4)
    assert again.inputs == 1
    assert f"Random({seed})" in again.finding


@slow
def test_a_crash_and_a_hang_are_findings(target, monkeypatch):
    crash = target(CRASH)
    fuzz(crash, 4)
    assert "Fatal Python error: Aborted" in crash.finding
    monkeypatch.setattr(runner, "PATIENCE", 10.0)  # until its test has begun, on a busy machine too
    hang = target(HANG)
    fuzz(hang, 4)
    assert hang.finding.splitlines()[0] == "it did not end within 10 s of its time"
    assert "test_hang" in hang.finding


@slow
@pytest.mark.parametrize("text", [HANG, DEAF])
def test_at_the_end_of_the_time_what_does_not_end_is_ended_and_named(target, monkeypatch, text):
    monkeypatch.setattr(runner, "GRACE", 1.0)
    monkeypatch.setattr(runner, "LAST", 1.0)
    one = target(text)
    fuzz(one, 4)
    assert (one.finding, one.cut) == ("", True)
    assert f"{one.name} had not ended 1 s after the time of the run" in runner.summary([one])


@slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_stopped_prints_its_summary_and_leaves_no_process(number, tmp_path):
    command = [sys.executable, str(runner.HERE / "fuzz_runner.py"), "--seconds=600", "--only=test_fuzz_pages"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    assert "600 s" in process.stdout.readline()
    while not list(tmp_path.glob("tmp*/said")):
        time.sleep(0.1)
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "stopped by a signal" in said
    assert "in sum" in said
    assert not list(tmp_path.glob("tmp*/said"))


def test_each_test_has_the_same_share_although_processes_start_slowly_and_some_turns_take_long():
    """By a clock of its own, of 3,600 seconds for 32 tests."""
    random, clock = Random(1), [0.0]
    targets = [Target(str(number)) for number in range(32)]
    turns = Turns(targets, 3600.0, 2, now=lambda: clock[0])
    under_way = []
    while True:
        while len(under_way) < 2 and (taken := turns.take()):
            target, seconds = taken
            starting, more = random.uniform(2, 12), random.choice((0, 0, 0, 0, 0, 30))
            assert TURN[0] <= seconds <= TURN[1]
            assert clock[0] + seconds <= 3600
            under_way.append((clock[0] + starting + seconds + more, target.name, seconds))
        if not under_way:
            break
        under_way.sort()
        clock[0], name, seconds = under_way.pop(0)
        targets[int(name)].seconds += seconds
        turns.back(targets[int(name)])
    shares = sorted(one.spent for one in targets)
    assert 3600 - 60 <= clock[0] <= 3600 + 60
    assert shares[0] > 0.7 * 7200 / 32
    assert shares[-1] < 1.3 * 7200 / 32


def test_a_test_with_a_finding_has_no_more_turns():
    wrong, fine = Target("wrong"), Target("fine")
    turns = Turns([wrong, fine], 100.0, 1, now=lambda: 0.0)
    target, _ = turns.take()
    assert target is wrong
    wrong.finding = "found"
    turns.back(wrong)
    assert [turns.take()[0] is fine, turns.take()] == [True, None]


@slow
def test_the_tests_with_the_mark_are_found():
    found = [one.name for one in runner.targets("test_fuzz_stored")]
    assert len(found) >= 4
    assert all(name.startswith("tests/fuzz/test_fuzz_stored.py::") for name in found)
    assert sys.executable in runner.command("x")
