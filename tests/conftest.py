"""What holds for every test."""

import gc
import sys

from hypothesis import settings

# Machines are shared: an example may take a second where it took a millisecond the time before.
# `make coverage` tries fifty inputs of a property, unless that says how many, and the same each time: a change is
# answerable for what fails. `make fuzz` tries others.
settings.register_profile("graylane", deadline=None, max_examples=50, derandomize=True)
# Of `make test`.
settings.register_profile("quick", deadline=None, max_examples=10, derandomize=True)
# Of `make fuzz`, where it is not for a time (tests/fuzz).
settings.register_profile("long", deadline=None, max_examples=2000, derandomize=False)
settings.load_profile("graylane")


def pytest_runtest_teardown():
    """A command leaves what it made to the end of its process (`meshconfig.cli.batch`), and here all tests have one:
    sockets in cycles would stay open until `select` refuses their numbers."""
    gc.unfreeze()


def pytest_unconfigure():
    """Writes what was measured: a thread that a library leaves behind can keep a process from ending by itself."""
    measuring = sys.modules.get("coverage")
    if measuring and (current := measuring.Coverage.current()):
        current.stop()
        current.save()
