"""`make fuzz SECONDS=3600`: every test with the mark `fuzz` in turn, each for the same share of the time.

Each turn is a process of its own, so that a hang or a crash of one test is a finding and no end of the others. What
fails is printed at once, kept in `.cache/fuzz`, and tried first the next time. A test that failed is not run again in
the same run. The run ends within a minute of its time, or of a signal, with a summary.
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
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from fuzz_turns import Target, Turns

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
STORE = ROOT / ".cache" / "fuzz"
MARK = re.compile(r"mark\.fuzz|^@fuzz$", re.MULTILINE)  # to read all other files would take half a minute
WANTED = "fuzz and not cluster and not interop"
PATIENCE = 300.0  # seconds beyond its turn, to shrink what failed
GRACE = 40.0  # the same, at the end of the run
LAST = 8.0  # seconds that a process which is ended has to write its figures
LOOK = 0.1
MINUTE = 60.0  # between two lines of progress
SHOWN = 80  # lines of a finding
FIRST, WIDE = 24, 300  # lines that are printed at once, and characters of each
FAILED = 1  # pytest's exit status for a test that failed
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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


def environment(seconds: float, folder: Path) -> dict[str, str]:
    """`folder`: for `report.json`, the figures, and `finding`, what failed, before it is shrunk."""
    paths = [str(HERE), str(ROOT / "tests" / "support"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONFAULTHANDLER": "1",
        "GRAYLANE_FUZZ_SECONDS": str(seconds),
        "GRAYLANE_FUZZ_STORE": str(STORE),
        "GRAYLANE_FUZZ_REPORT": str(folder),
    }


def command(name: str) -> list[str]:
    return [
        sys.executable, "-m", "pytest", "-p", "fuzz_timed", "--hypothesis-profile=timed", "-p", "no:cacheprovider",
        "-q", "--no-header", "--tb=short", name,
    ]  # fmt: skip


class Turn:
    """One process; what it says is a finding unless it ends well.

    Parameters:
        folder: of its own, for its output.
        last: when it is ended, by time.monotonic.
    """

    def __init__(self, target: Target, seconds: float, folder: Path, last: float, stopped: threading.Event) -> None:
        self.target, self.folder, self.stopped = target, folder, stopped
        self.overdue, self.last = time.monotonic() + seconds + PATIENCE, last
        with (folder / "said").open("wb") as out:  # a pipe would stay open as long as anything that the test started
            self.process = subprocess.Popen(
                command(target.name), cwd=ROOT, env=environment(seconds, folder), start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def run(self) -> None:
        while not self._ended(LOOK) and not self.stopped.is_set() and time.monotonic() < min(self.overdue, self.last):
            self._look()
        by_itself = self.process.poll() is not None
        hangs = not by_itself and not self.stopped.is_set() and time.monotonic() >= self.overdue
        if not by_itself:
            self.process.send_signal(signal.SIGABRT if hangs else signal.SIGINT)  # faulthandler prints where it hangs
        self._ended(LAST)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        status = self.process.wait()
        self._look()
        with suppress(OSError, ValueError):
            self.target.add(**json.loads((self.folder / "report.json").read_text()))
        # One that is interrupted may trip over that, which says nothing of what it tries.
        if hangs or self._first.exists() or (by_itself and status):
            self._found(status, f"it did not end within {PATIENCE:.0f} s of its time\n" if hangs else "")
        self.target.cut = not by_itself and not self.stopped.is_set() and not self.target.finding

    @property
    def _first(self) -> Path:
        return self.folder / "finding"

    def _ended(self, seconds: float) -> bool:
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return self.process.returncode is not None

    def _look(self) -> None:
        """Prints what failed as soon as it has failed; to shrink it may take a minute."""
        if not self.target.finding and self._first.exists():
            self.target.finding = self._first.read_text(errors="replace")
            announce(self.target)

    def _found(self, status: int, why: str) -> None:
        printed = bool(self.target.finding)
        said = (self.folder / "said").read_text(errors="replace").strip().splitlines()[-SHOWN:]
        whole = "\n".join([f"{why}exit status {status}", *said])
        self.target.finding = whole if status == FAILED or not printed else f"{self.target.finding}\n{whole}"
        if not printed:
            announce(self.target)


def announce(target: Target) -> None:
    lines = [line[:WIDE] for line in target.finding.splitlines()]
    shown = lines if len(lines) <= FIRST else [*lines[: FIRST // 2], "[…]", *lines[-FIRST // 2 :]]
    print("", f"FINDING  {target.name}", *shown, replayed_by(target), "", sep="\n", flush=True)


def replayed_by(target: Target) -> str:
    return f"to try it again: make fuzz REPLAY={target.name}"


def work(turns: Turns) -> None:
    while taken := turns.take():
        target, seconds = taken
        try:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                Turn(target, seconds, Path(folder), turns.end + GRACE, turns.stopped).run()
        finally:
            turns.back(target)


def fuzz(found: Sequence[Target], seconds: float, jobs: int, stopped: threading.Event, begun: float) -> None:
    """Runs turns until `seconds` after `begun`, by time.monotonic, or until it is stopped."""
    turns = Turns(found, begun + seconds, jobs, stopped=stopped)
    threads = [threading.Thread(target=work, args=(turns,)) for _ in range(jobs)]
    for one in threads:
        one.start()
    told = begun
    while any(one.is_alive() for one in threads):
        time.sleep(LOOK)  # a signal is handled between two of them
        if time.monotonic() - told >= MINUTE:
            told += MINUTE
            print(progress(turns, told - begun), flush=True)


def progress(turns: Turns, seconds: float) -> str:
    found = turns.targets
    under_way = ", ".join(sorted(name.rpartition("::")[2] for name in list(turns.running)))
    return (
        f"{seconds:6.0f} s  {sum(one.inputs for one in found):,} inputs in {sum(one.turns for one in found)} turns of "
        f"{sum(bool(one.turns) for one in found)}/{len(found)} tests, "
        f"{sum(bool(one.finding) for one in found)} findings; now {under_way}"
    )


def summary(found: Sequence[Target]) -> str:
    width = max(len(one.name) for one in found)
    rows = [f"{'target':{width}} {'inputs':>12} {'turns':>6} {'seconds':>8} {'peak MB':>8} {'findings':>8}"]
    rows += [_row(one.name, width, [one], one.megabytes) for one in found]
    rows.append(_row("in sum", width, found, max(one.megabytes for one in found)))
    rows += [f"{one.name} had not ended {GRACE:.0f} s after the time of the run" for one in found if one.cut]
    if missed := sum(not one.turns for one in found):
        rows.append(f"{missed} tests had no turn: the time was too short, or the run was stopped")
    return "\n".join(rows)


def _row(name: str, width: int, found: Sequence[Target], peak: int) -> str:
    inputs, seconds, turns = (sum(getattr(one, what) for one in found) for what in ("inputs", "seconds", "turns"))
    count = sum(bool(one.finding) for one in found)
    return f"{name:{width}} {inputs:>12,} {turns:>6} {seconds:>8.0f} {peak:>8} {count:>8}"


def findings(found: Sequence[Target]) -> str:
    wrong = [one for one in found if one.finding]
    return "\n".join(f"\n== {one.name}\n{one.finding}\n{replayed_by(one)}" for one in wrong)


def replay(name: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(command(name), cwd=ROOT, env=environment(0, Path(folder))).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for all tests together")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the tests that have this in their names")
    parser.add_argument("--replay", default="", metavar="NAME", help="try again what one test found")
    given = parser.parse_args()
    if given.replay:
        return replay(given.replay)
    begun, stopped = time.monotonic(), threading.Event()
    found = targets(given.only)
    if not found:
        parser.error(f"--only: no test with the mark fuzz has {given.only} in its name")
    for number in SIGNALS:
        signal.signal(number, lambda *_: stopped.set())
    print(f"{len(found)} tests, {given.seconds:.0f} s, {given.jobs} at a time", flush=True)
    fuzz(found, given.seconds, given.jobs, stopped, begun)
    state = "; stopped by a signal" if stopped.is_set() else ""
    print(f"\nafter {time.monotonic() - begun:.0f} s{state}\n{summary(found)}{findings(found)}", flush=True)
    return int(any(one.finding for one in found) or stopped.is_set())


if __name__ == "__main__":
    sys.exit(main())
