"""How many inputs a property test draws: a few in `make test`, a quarter of a million each in `make fuzz`."""

import os

import pytest
from hypothesis import HealthCheck, settings

LONG = bool(os.environ.get("GRAYLANE_FUZZ"))
BATCHES = 25 if LONG else 1
_settings = settings(
    max_examples=10_000 if LONG else 150,
    deadline=None,
    database=None,
    derandomize=not LONG,
    suppress_health_check=list(HealthCheck),
)


def fuzz(test):
    """For a test with a first parameter `batch`. Hypothesis remembers each input of a run, so a long run is many."""
    return pytest.mark.parametrize("batch", range(BATCHES))(_settings(test))
