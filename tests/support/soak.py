"""Whether tests run at length, as by `make soak`. In CI they show the same with as much as there is time for."""

import os

SOAK = bool(os.environ.get("GRAYLANE_SOAK"))
