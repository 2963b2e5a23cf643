"""Where the roster comes from: a file (a mounted ConfigMap) or a URL, read again while the program runs."""

import os
from collections.abc import Callable
from contextvars import Context
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from urllib.request import build_opener

from propagation.errors import ConfigError
from propagation.messaging.lanes.quiet import Warnings
from propagation.messaging.lanes.roster import Roster, parse

REFRESH_SECONDS = 5.0
_TIMEOUT_SECONDS = 2.0
_FIRST_SECONDS = 5.0  # for the first answer of a source; one may give a byte now and then, or none
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
        self._reader: Thread | None = None
        self._was_read = Event()

    def roster(self) -> Roster | None:
        """The roster; None while none could be read yet.

        It is read in the background, when it is due. The first call waits for it, 5 seconds at most; later ones never.
        """
        if self._clock() < self._due:
            return self._roster
        is_first = self._due == float("-inf")
        # One that does not come back is left alone; a process that was forked has none.
        if self._reader is None or not self._reader.is_alive():
            self._due = self._clock() + self._refresh
            self._begin_to_read()
        if is_first:
            self._was_read.wait(_FIRST_SECONDS)
        return self._roster

    def read(self) -> Roster | None:
        """Read the roster now, and wait for it."""
        try:
            self._roster = parse(self._bytes(), self._consumer)
        except (OSError, ConfigError, ValueError, HTTPException) as error:
            self._warn(error)
        self._due = self._clock() + self._refresh
        self._was_read.set()
        return self._roster

    def _begin_to_read(self) -> None:
        # In a context of its own: reading the URL is no part of the message at hand, whose tag must not go there.
        self._reader = Thread(target=Context().run, args=(self.read,), daemon=True, name="propagation-roster")
        try:
            self._reader.start()
        except RuntimeError as error:  # the system has no more threads, or this process ends
            self._warn(error)
            self._was_read.set()

    def _warn(self, error: Exception) -> None:
        kept = "the roster read before stays in force" if self._roster else "the baseline handles every lane"
        self._warnings.warn(f"roster {self._source}", "%s: %s; %s", self._source, error, kept)

    def _bytes(self) -> bytes:
        if self._source.startswith(("http://", "https://")):
            with build_opener().open(self._source, timeout=_TIMEOUT_SECONDS) as response:
                found: bytes = response.read(_LARGEST + 1)
        else:
            path = Path(self._source)
            if path.exists() and not path.is_file():
                raise ConfigError("not a regular file")
            with path.open("rb") as file:
                found = file.read(_LARGEST + 1)
        if len(found) > _LARGEST:
            raise ConfigError("larger than 1 MiB")
        return found
