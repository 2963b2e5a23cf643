"""Rich's consoles, texts and tables, none of which prints a character of a value that a terminal or CI runner obeys.

Every command takes them from here. A `Text` and a cell of a `Table` are one line each; a console escapes whatever else
it is given, and reads no markup in it.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import rich.console
import rich.table
import rich.text
from rich.segment import Segment

from meshconfig.printable import escape, escape_line

_PIPE = 1 << 16  # columns: in a pipe nothing is folded, because a folded line could begin with a runner's command


class Text(rich.text.Text):
    """One line of text with a style."""

    def __init__(self, text: str = "", style: Any = "", **settings: Any) -> None:
        super().__init__(escape_line(text), style, **settings)

    @classmethod
    def assemble(cls, *parts: Any, **settings: Any) -> "Text":
        """The parts, each a text or a pair of a text and its style, behind each other."""
        whole = cls(**settings)
        for part in parts:
            whole.append(*part) if isinstance(part, tuple) else whole.append(part)
        return whole

    def append(self, text: Any, style: Any = None) -> "Text":
        super().append(escape_line(text) if isinstance(text, str) else text, style)
        return self


class Table(rich.table.Table):
    """A table each of whose cells is one line."""

    def add_row(self, *cells: Any, **settings: Any) -> None:
        super().add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells), **settings)


class Console(rich.console.Console):
    """A console that escapes what it prints, and takes no text for markup, emoji codes or highlights.

    Parameters:
        error: print to standard error.
        fold: on a terminal, fold long lines at its width rather than leave that to the terminal.
    """

    def __init__(self, *, error: bool = False, fold: bool = False) -> None:
        plain: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False, "soft_wrap": not fold}
        super().__init__(stderr=error, **plain)
        if not self.is_terminal:
            self.width = _PIPE

    def render(self, renderable: Any, options: Any = None) -> Iterator[Segment]:
        line: list[Segment] = []
        for segment in super().render(renderable, options):
            line.append(segment)
            if "\n" in segment.text:
                yield from _escaped(line)
                line = []
        yield from _escaped(line)


def _escaped(line: list[Segment]) -> Iterable[Segment]:
    """The segments up to the end of a line. Most need no change.

    Where a command is split among differently styled segments, the whole becomes one segment without styles.
    """
    text = "".join(one.text for one in line if not one.control)
    if (whole := escape(text)) == text:
        return line
    parts = [one if one.control else Segment(escape(one.text), one.style) for one in line]
    joined = "".join(one.text for one in parts if not one.control)
    return parts if escape(joined) == joined else [*(one for one in line if one.control), Segment(whole)]
