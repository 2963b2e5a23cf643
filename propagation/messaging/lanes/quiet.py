"""Warnings that a stream of messages could repeat without end: each once a minute."""

import logging
from collections.abc import Callable
from threading import Lock
from time import monotonic

from propagation.rejections import QUIET_SECONDS

logger = logging.getLogger("propagation.lanes")
_KINDS = 256  # of warnings to remember; a key may contain what a stranger sent


class Warnings:
    """Logs a warning of each kind at most once in 60 seconds, with how many there were since."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock, self._lock = clock, Lock()
        self._kinds: dict[str, tuple[float, int]] = {}  # by kind, when it was logged and how often it was not since

    def warn(self, kind: str, message: str, *args: object) -> None:
        """Log `message % args`, unless this kind was logged less than a minute ago."""
        now = self._clock()
        with self._lock:
            until, silent = self._kinds.get(kind, (float("-inf"), 0))
            log = now >= until
            if len(self._kinds) >= _KINDS and kind not in self._kinds:
                self._kinds.clear()
            self._kinds[kind] = (now + QUIET_SECONDS, 0) if log else (until, silent + 1)
        if log:
            logger.warning(message + (f" ({silent} more of these in between)" if silent else ""), *args)
