"""How many inputs a property test draws: a few in `make test`, a quarter of a million each in `make fuzz`."""

import os

from hypothesis import HealthCheck, settings

LONG = bool(os.environ.get("GRAYLANE_FUZZ"))
fuzz = settings(
    max_examples=250_000 if LONG else 150,
    deadline=None,
    database=None,
    derandomize=not LONG,
    suppress_health_check=list(HealthCheck),
)
