"""Tests of whatever comes in: three thousand inputs each in `make test`, a quarter of a million each in `make fuzz`.

A test makes its input of a source of random numbers, Python's own: by Hypothesis an input takes twenty times as long,
and these are small enough to be read without being shrunk. `make fuzz` has other inputs each time.
"""

import os
from random import Random, SystemRandom

LONG = bool(os.environ.get("GRAYLANE_FUZZ"))
INPUTS = 250_000 if LONG else 3_000


def fuzz(test):
    """For a test of one argument, the source of random numbers."""

    def run():
        first = SystemRandom().getrandbits(48) if LONG else 0
        for number in range(first, first + INPUTS):
            rng = Random(number)
            try:
                test(rng)
            except Exception as error:
                made = error.__traceback__.tb_next.tb_frame.f_locals
                shown = {name: value for name, value in made.items() if value is not rng}
                error.add_note(f"{test.__name__}(Random({number})) had {shown}")
                raise

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def several(rng, make, most):
    """At most so many of what `make` makes."""
    return [make(rng) for _ in range(rng.randint(0, most))]


def text(rng, letters, most):
    """At most so many of these letters."""
    return "".join(several(rng, lambda rng: rng.choice(letters), most))
