"""`make fuzz SECONDS=3600`: every test with the mark `fuzz` in turn, each for its share of the time.

Each turn is a process of its own, so that a hang or a crash of one test is a finding and no end of the others. What
fails is kept in `.cache/fuzz`, and tried first the next time. A test that failed is not run again in the same run.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
STORE = ROOT / ".cache" / "fuzz"
MARK = re.compile(r"mark\.fuzz|^@fuzz$", re.MULTILINE)  # to read all other files would take half a minute
WANTED = "fuzz and not cluster and not interop"
TURN = (2.0, 60.0)  # the shortest and the longest turn, in seconds
ROUNDS = 3  # turns of each test, where the time allows it
STARTING = 4.0  # seconds that a process needs before its test begins
PATIENCE = 180.0  # seconds beyond its turn, to shrink what failed
SHOWN = 80  # lines of a finding


@dataclass
class Target:
    """One test, and what all of its turns came to."""

    name: str
    inputs: int = 0
    seconds: float = 0.0
    megabytes: int = 0
    finding: str = ""

    def add(self, inputs: int, seconds: float, megabytes: int) -> None:
        self.inputs += inputs
        self.seconds += seconds
        self.megabytes = max(self.megabytes, megabytes)


@dataclass
class Turns:
    """Whose turn is next, for several threads, until the time is over."""

    end: float
    seconds: float
    waiting: deque[Target]
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: bool = False

    def take(self) -> tuple[Target, float] | None:
        with self.lock:
            left = self.end - time.monotonic() - STARTING
            if self.over or left < TURN[0] or not self.waiting:
                return None
            return self.waiting.popleft(), min(self.seconds, left)

    def back(self, target: Target) -> None:
        with self.lock:
            if not target.finding:
                self.waiting.append(target)


def targets(only: str) -> list[Target]:
    """The tests with the mark, without their parameters, in the order of their files."""
    files = [file for file in sorted((ROOT / "tests").rglob("test_*.py")) if MARK.search(file.read_text())]
    named = [str(file.relative_to(ROOT)) for file in files]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", WANTED, *named]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    names = [line.partition("[")[0] for line in done.stdout.splitlines() if "::" in line]
    if done.returncode or not names:
        sys.exit(f"no tests to run:\n{done.stdout}{done.stderr}")
    return [Target(name) for name in dict.fromkeys(names) if only in name]


def environment(seconds: float, report: Path) -> dict[str, str]:
    paths = [str(HERE), str(ROOT / "tests" / "support"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONFAULTHANDLER": "1",
        "GRAYLANE_FUZZ_SECONDS": str(seconds),
        "GRAYLANE_FUZZ_STORE": str(STORE),
        "GRAYLANE_FUZZ_REPORT": str(report),
    }


def command(name: str) -> list[str]:
    return [
        sys.executable, "-m", "pytest", "-p", "fuzz_timed", "--hypothesis-profile=timed", "-p", "no:cacheprovider",
        "-q", "--no-header", "--tb=short", name,
    ]  # fmt: skip


def turn(target: Target, seconds: float) -> None:
    """One process; what it says is a finding unless it ends well."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        process = subprocess.Popen(
            command(target.name), cwd=ROOT, env=environment(seconds, report), start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        try:
            said, _ = process.communicate(timeout=seconds + PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGABRT)  # faulthandler prints where it hangs
            said = f"it did not end within {PATIENCE:.0f} s of its time\n{process.communicate()[0]}"
        if report.exists():
            target.add(**json.loads(report.read_text()))
    if process.returncode:
        lines = [f"exit status {process.returncode}", *said.strip().splitlines()[-SHOWN:]]
        target.finding = "\n".join(lines)


def work(turns: Turns, begun: float) -> None:
    while taken := turns.take():
        target, seconds = taken
        turn(target, seconds)
        turns.back(target)
        state = "FINDING" if target.finding else f"{target.inputs} inputs"
        print(f"{time.monotonic() - begun:6.0f} s  {target.name}: {state}", flush=True)


def fuzz(found: Sequence[Target], seconds: float, jobs: int, begun: float | None = None) -> None:
    """Runs turns until `seconds` after `begun`, by time.monotonic; without it, from now on."""
    begun = time.monotonic() if begun is None else begun
    share = seconds * jobs / max(1, len(found)) / ROUNDS - STARTING
    turns = Turns(begun + seconds, min(TURN[1], max(TURN[0], share)), deque(found))
    threads = [threading.Thread(target=work, args=(turns, begun)) for _ in range(jobs)]
    for one in threads:
        one.start()
    try:
        for one in threads:
            one.join()
    except KeyboardInterrupt:
        turns.over = True
        print("stops when the turns under way have ended", flush=True)
        for one in threads:
            one.join()


def summary(found: Sequence[Target]) -> str:
    width = max(len(one.name) for one in found)
    rows = [f"{'target':{width}} {'inputs':>12} {'seconds':>8} {'peak MB':>8} {'findings':>8}"]
    for one in found:
        count = int(bool(one.finding))
        rows.append(f"{one.name:{width}} {one.inputs:>12,} {one.seconds:>8.0f} {one.megabytes:>8} {count:>8}")
    inputs, seconds = sum(one.inputs for one in found), sum(one.seconds for one in found)
    peak, count = max(one.megabytes for one in found), sum(bool(one.finding) for one in found)
    rows.append(f"{'in sum':{width}} {inputs:>12,} {seconds:>8.0f} {peak:>8} {count:>8}")
    return "\n".join(rows)


def findings(found: Sequence[Target]) -> str:
    wrong = [one for one in found if one.finding]
    return "\n".join(f"\n== {one.name}\n{one.finding}\nto try it again: make fuzz REPLAY={one.name}" for one in wrong)


def replay(name: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(command(name), cwd=ROOT, env=environment(0, Path(folder) / "report.json")).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for all tests together")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the tests that have this in their names")
    parser.add_argument("--replay", default="", metavar="NAME", help="try again what one test found")
    given = parser.parse_args()
    if given.replay:
        return replay(given.replay)
    begun = time.monotonic()
    found = targets(given.only)
    print(f"{len(found)} tests, {given.seconds:.0f} s, {given.jobs} at a time", flush=True)
    fuzz(found, given.seconds, given.jobs, begun)
    print(f"\n{summary(found)}{findings(found)}", flush=True)
    return int(any(one.finding for one in found))


if __name__ == "__main__":
    sys.exit(main())
