"""What the doctor says: a line with a mark."""

import re
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


_COMMAND = re.compile(r"^(\s*):(?=:)|#(?=#[A-Za-z]*\[)")


def one_line(text: str) -> str:
    """A text of others as a line that no terminal and no CI runner obeys, with escapes as `repr` writes them.

    meshconfig.printable does the same for the command line of graylane; the two packages share no code.
    """
    shown = "".join(c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode() for c in text)
    return _COMMAND.sub(lambda found: f"{found[1]}\\x3a" if found[1] is not None else "\\x23", shown)


class UsageError(PropagationError):
    """Bad input; says what to change."""
