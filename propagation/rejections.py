"""What came in and was not taken: counted by field and reason, logged once a minute at most."""

import logging
from collections import Counter
from functools import cache
from threading import Lock
from time import monotonic
from typing import Any

logger = logging.getLogger("propagation")
QUIET_SECONDS = 60.0


class Rejections:
    """Counts of (field, reason), the reasons being "malformed", "unlisted" and "conflict".

    The same numbers go to the OpenTelemetry counter `propagation.rejected`, which costs nothing without an SDK.
    """

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self._lock = Lock()
        self._silent_until = float("-inf")

    def add(self, field: str, reason: str, value: str) -> None:
        """Count one value that a request brought for `field`, and log it if nothing was logged for a minute."""
        now = monotonic()
        with self._lock:
            self.counts[field, reason] += 1
            total = self.counts.total()
            log = now >= self._silent_until
            if log:
                self._silent_until = now + QUIET_SECONDS
        _counter().add(1, {"field": field, "reason": reason})
        if log:
            # %a: what a stranger sent must not be able to forge a line of the log.
            logger.warning("dropped %s: %s value %a (%d dropped since the start)", field, reason, value[:64], total)


REJECTED = Rejections()


@cache
def _counter() -> Any:
    from opentelemetry.metrics import get_meter

    return get_meter("propagation").create_counter("propagation.rejected", description="values that were not taken")
