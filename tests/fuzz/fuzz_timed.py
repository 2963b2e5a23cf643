"""A pytest plugin for fuzz_runner.py: a test goes on until its time is over, and what it tried is counted.

Where Hypothesis draws the inputs, the test is run again and again with new ones. What once failed is tried first.

GRAYLANE_FUZZ_SECONDS: the time for all tests of this process; 0 tries only what once failed.
GRAYLANE_FUZZ_STORE: a folder for what failed. GRAYLANE_FUZZ_REPORT: a folder for the figures, as JSON, and for what
failed as soon as it has failed.
"""

import json
import os
import resource
import time
import traceback
from pathlib import Path

import hypothesis.internal.conjecture.engine as engine
import pytest
from fuzzing import CLOCK
from hypothesis import HealthCheck, Phase, settings
from hypothesis.core import failure_exceptions_to_catch
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.errors import FlakyStrategyDefinition

SECONDS = float(os.environ["GRAYLANE_FUZZ_SECONDS"])
STORE = Path(os.environ["GRAYLANE_FUZZ_STORE"])
REPORT = Path(os.environ["GRAYLANE_FUZZ_REPORT"])
SHRINK = 60  # seconds; Hypothesis takes 300, in which the other tests would wait
AGAIN = (Phase.explicit, Phase.reuse, Phase.shrink)
spent = 0.0
failed = False

settings.register_profile(
    "timed",
    derandomize=False,
    deadline=None,
    max_examples=500,  # each time; few enough that what it remembers to make no input twice stays small
    database=DirectoryBasedExampleDatabase(STORE / "examples"),
    phases=[*AGAIN, *((Phase.generate,) if SECONDS else ())],
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)
setattr(engine, "MAX_SHRINKING_SECONDS", SHRINK)  # noqa: B010  no setting says it


class Over(BaseException):
    """The time is over. Hypothesis lets what is no Exception through."""


def pytest_configure():
    CLOCK.seeds = STORE / "seeds"


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    global spent
    begun = time.monotonic()
    CLOCK.end = begun + SECONDS / len(pyfuncitem.session.items)
    drawn = getattr(pyfuncitem.obj, "hypothesis", None)
    if drawn:
        drawn.inner_test = _counted(drawn.inner_test)
    given = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    try:
        while True:
            pyfuncitem.obj(**given)
            if CLOCK.over:
                break
    except (Over, FlakyStrategyDefinition):  # of a test that draws in its body, half an input is told as flaky
        if failed or not CLOCK.over:
            raise
    finally:
        spent += time.monotonic() - begun
    return True


def _counted(test):
    def counted(*args, **kwargs):
        if CLOCK.over and SECONDS and not failed:  # what has failed is shrunk to its end
            raise Over
        CLOCK.inputs += 1
        try:
            return test(*args, **kwargs)
        except failure_exceptions_to_catch() as error:
            if type(error).__module__.partition(".")[0] != "hypothesis":
                _has_failed(error)
            raise

    return counted


def _has_failed(error):
    global failed
    if not failed:
        lines = traceback.format_exception(error, limit=-6)  # of the innermost calls
        (REPORT / "finding").write_text("".join(lines), errors="replace")
    failed = True


def pytest_sessionfinish():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    figures = {"inputs": CLOCK.inputs, "seconds": spent, "megabytes": peak}
    (REPORT / "report.json").write_text(json.dumps(figures))
