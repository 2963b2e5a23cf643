"""Kafka: how far the work on a partition has come, and which offset may be committed."""

from threading import Lock


class Progress:
    """One partition as one member of a group works on it.

    position: the next offset to be read; None until one is known. decided: the first offset that was never passed,
    whatever was read again since.

    What is handled may be said in another thread than the one that reads.
    """

    def __init__(self, position: int | None = None) -> None:
        self.position = position
        self.decided = position or 0
        self._handed_out: dict[int, None] = {}  # in rising order, what the program has not handled yet
        self._lock = Lock()

    def __contains__(self, offset: int) -> bool:
        """Whether the program has this message, and has not said yet that it is handled."""
        return offset in self._handed_out

    def hand_out(self, offset: int) -> None:
        """The program gets the message."""
        with self._lock:
            self._handed_out[offset] = None
            self.leave(offset)

    def leave(self, offset: int) -> None:
        """The message is another group's."""
        self.position = offset + 1
        self.decided = max(self.decided, offset + 1)

    def skip_to(self, offset: int) -> None:
        """What lies before `offset` is of no concern to this group."""
        self.position = offset
        self.decided = max(self.decided, offset)

    def handled(self, offset: int) -> None:
        """The program has handled this message; those before it may still be at work."""
        with self._lock:
            self._handed_out.pop(offset, None)

    def handled_through(self, offset: int | None = None) -> None:
        """The program has handled this message and all before it; without an offset, all that it was given."""
        with self._lock:
            self._handed_out = {} if offset is None else {one: None for one in self._handed_out if one > offset}

    def read_again(self, offset: int) -> None:
        """The messages from `offset` on are read, and handed out, again."""
        with self._lock:
            self._handed_out = {one: None for one in self._handed_out if one < offset}
            self.position = offset

    @property
    def at_work(self) -> bool:
        """Whether the program has messages that it has not handled yet."""
        return bool(self._handed_out)

    @property
    def committable(self) -> int | None:
        """The offset before which everything is handled or another group's; None where it is not known."""
        with self._lock:
            return next(iter(self._handed_out), self.position)
