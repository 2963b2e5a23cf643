"""What the doctor says: a line with a mark."""

from typing import NamedTuple

from propagation.errors import PropagationError

OK, NO, NOTE = "ok", "no", "note"
LOST, LEAK, FAIL = "lost", "LEAK", "fail"
WRONG = frozenset({LOST, LEAK, FAIL})  # of these, one makes the exit code 1


class Finding(NamedTuple):
    """One line: its mark, and what it is about.

    OK: as it should be. NO: does not carry the tag, of which nothing follows by itself. NOTE: worth knowing. LOST: the
    tag is missing where it should be. LEAK: the tag is where it must not be. FAIL: nothing could be shown.
    """

    mark: str
    text: str


class UsageError(PropagationError):
    """Bad input; says what to change."""
