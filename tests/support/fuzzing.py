"""Tests of whatever comes in, as often as the caller wants.

`make test` tries three thousand inputs of each, `make fuzz` a quarter of a million, and `make fuzz SECONDS=N` as many
as fit into its time (tests/fuzz).

A test makes its input of a source of random numbers, Python's own: by Hypothesis an input takes twenty times as long,
and these are small enough to be read without being shrunk. `make fuzz` has other inputs each time.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random, SystemRandom

import pytest

LONG = bool(os.environ.get("GRAYLANE_FUZZ"))
INPUTS = 250_000 if LONG else 3_000


class Clock:
    """How long a test may go on, and how much it has tried. `seeds`: a folder with the seeds that once failed.

    It is off unless tests/fuzz/fuzz_timed.py switches it on; then a test counts its inputs and ends by itself.
    """

    end: float | None = None  # by time.monotonic
    seeds: Path | None = None
    inputs = 0

    @property
    def over(self) -> bool:
        return self.end is not None and time.monotonic() >= self.end


CLOCK = Clock()


def fuzz(test):
    """For a test of one argument, the source of random numbers."""

    def run():
        for number in _numbers(test.__name__):
            CLOCK.inputs += 1
            rng = Random(number)
            try:
                test(rng)
            except (Exception, pytest.fail.Exception) as error:
                made = error.__traceback__.tb_next.tb_frame.f_locals
                shown = {name: value for name, value in made.items() if value is not rng}
                error.add_note(f"{test.__name__}(Random({number})) had {shown}")
                _remember(test.__name__, number)
                raise

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return pytest.mark.fuzz(run)


def _numbers(name: str) -> Iterator[int]:
    first = SystemRandom().getrandbits(48) if LONG or CLOCK.end else 0
    if CLOCK.end is None:
        yield from range(first, first + INPUTS)
        return
    yield from _remembered(name)
    while not CLOCK.over:
        yield first
        first += 1


def _remembered(name: str) -> list[int]:
    file = CLOCK.seeds / name if CLOCK.seeds else None
    return [int(line) for line in file.read_text().split()] if file and file.exists() else []


def _remember(name: str, number: int) -> None:
    """For `make fuzz REPLAY=…`: a seed is all of an input."""
    if CLOCK.seeds and number not in _remembered(name):
        CLOCK.seeds.mkdir(parents=True, exist_ok=True)
        with (CLOCK.seeds / name).open("a") as file:
            file.write(f"{number}\n")


def several(rng, make, most):
    """At most so many of what `make` makes."""
    return [make(rng) for _ in range(rng.randint(0, most))]


def text(rng, letters, most):
    """At most so many of these letters."""
    return "".join(several(rng, lambda rng: rng.choice(letters), most))
