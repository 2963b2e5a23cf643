"""When a failed request is sent again: after pauses that grow, within a time in sum, whatever the server asks for."""

import re
import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime

clock, wall = time.monotonic, time.time
sleep = time.sleep

LONGEST = 8.0  # seconds of one pause
LEAST = 2.0  # seconds; with less left, an attempt would end before it is answered
TOO_MANY = 429
AGAIN = frozenset({TOO_MANY, 502, 503, 504})


class Backoff:
    """The pauses between the attempts of one request.

    Parameters:
        seconds: in sum, from the end of the first attempt until the end of the last one.
        pauses: seconds before the second attempt, the third …
        endless: repeat the last pause until the time is over. Otherwise there is one attempt after each pause.
    """

    def __init__(self, seconds: float, pauses: Sequence[float], *, endless: bool = False) -> None:
        self._seconds, self._pauses, self._endless = seconds, pauses, endless
        self._end: float | None = None
        self.failures = 0

    @property
    def left(self) -> float | None:
        """Seconds that the next attempt may take; None before the first failure."""
        return None if self._end is None else max(LEAST, self._end - clock())

    def pause(self, retry_after: str = "") -> float | None:
        """Counts a failure.

        Parameters:
            retry_after: the answer's header of this name. A server may ask for a longer pause, up to `LONGEST`.

        Returns:
            Seconds to wait before the next attempt. None: there is none.
        """
        if self._end is None:
            self._end = clock() + self._seconds
        self.failures += 1
        if self.failures > len(self._pauses) and not self._endless:
            return None
        room = self._end - clock() - LEAST
        if room <= 0:
            return None
        wanted = max(self._pauses[min(self.failures, len(self._pauses)) - 1], asked(retry_after))
        return min(wanted, room)


def asked(retry_after: str) -> float:
    """The pause that a header Retry-After asks for, in seconds from 0 to `LONGEST`; 0 if it cannot be read."""
    text = retry_after.strip()
    if re.fullmatch("[0-9]+", text, re.ASCII):
        return min(float(text[:9]), LONGEST)
    try:
        return min(max(parsedate_to_datetime(text).timestamp() - wall(), 0.0), LONGEST)
    except (TypeError, ValueError, IndexError, OverflowError):
        return 0.0
