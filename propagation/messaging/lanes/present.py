"""Where the roster comes from: a file (a mounted ConfigMap) or a URL, read again while the program runs."""

import os
from collections.abc import Callable
from contextvars import Context
from pathlib import Path
from threading import Lock, Thread
from time import monotonic
from urllib.request import build_opener

from propagation.errors import ConfigError
from propagation.messaging.lanes.quiet import Warnings
from propagation.messaging.lanes.roster import Roster, parse

REFRESH_SECONDS = 5.0
_TIMEOUT_SECONDS = 2.0
_LARGEST = 1 << 20  # bytes; a ConfigMap holds no more


class Present:
    """The roster of one consumer, as it stands now.

    source: path of a file, or a URL (http, https). consumer: its name in the spec's `consumers`; may be left out where
    there is only one. refresh: seconds after which it is read again. warnings: where to say what is wrong with it.

    What cannot be read leaves the last good roster in force, with a warning once a minute. Until there has been one,
    nobody is known to be meant: the baseline handles every message.
    """

    def __init__(
        self,
        source: str | os.PathLike[str],
        consumer: str | None = None,
        *,
        refresh: float = REFRESH_SECONDS,
        warnings: Warnings | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._source, self._consumer = os.fspath(source), consumer
        self._refresh, self._clock = refresh, clock
        self._warnings = warnings or Warnings(clock)
        self._roster: Roster | None = None
        self._due = float("-inf")
        self._lock = Lock()

    def roster(self) -> Roster | None:
        """The roster; None while none could be read yet.

        The first call reads it. Later ones never wait: a roster that is due is read in the background.
        """
        if self._clock() < self._due:
            return self._roster
        if self._due == float("-inf"):
            self.read()
        elif self._lock.acquire(blocking=False):
            self._lock.release()
            self._due = self._clock() + self._refresh
            # In a context of its own: reading the URL is no part of the message at hand, whose tag must not go there.
            Thread(target=Context().run, args=(self.read,), daemon=True, name="propagation-roster").start()
        return self._roster

    def read(self) -> Roster | None:
        """Read the roster now, and wait for it."""
        with self._lock:
            try:
                self._roster = parse(self._bytes(), self._consumer)
            except (OSError, ConfigError, ValueError) as error:
                kept = "the roster read before stays in force" if self._roster else "the baseline handles every lane"
                self._warnings.warn(f"roster {self._source}", "%s: %s; %s", self._source, error, kept)
            self._due = self._clock() + self._refresh
            return self._roster

    def _bytes(self) -> bytes:
        if self._source.startswith(("http://", "https://")):
            with build_opener().open(self._source, timeout=_TIMEOUT_SECONDS) as response:
                found: bytes = response.read(_LARGEST + 1)
        else:
            with Path(self._source).open("rb") as file:
                found = file.read(_LARGEST + 1)
        if len(found) > _LARGEST:
            raise ConfigError("larger than 1 MiB")
        return found
