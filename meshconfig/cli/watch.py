"""Shows a value once, or with `--watch` after each change."""

import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rich.console import RenderableType
from rich.live import Live

from meshconfig.cli.common import Output, stdout
from meshconfig.cli.console import Console
from meshconfig.errors import ClusterError
from meshconfig.printable import say, say_json

EVERY = 2.0  # seconds

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class View(Generic[T]):
    """How a command shows a value.

    Parameters:
        text: the value as text; the second argument is the reason why the latest reading failed, or empty.
        as_json: the value as JSON.
        ended: true if the value will never change again.
    """

    text: Callable[[T, str], RenderableType]
    as_json: Callable[[T], Any]
    ended: Callable[[T], bool] = lambda one: False

    def print(self, one: T, output: Output, *, indent: int | None = 2) -> None:
        """Print to standard output; `indent=None` prints JSON on one line, or text as one block of several."""
        if output is Output.JSON:
            say_json(self.as_json(one), indent=indent)
            sys.stdout.flush()
            return
        console = stdout()
        console.print(self.text(one, ""))
        if indent is None:
            console.print()
        sys.stdout.flush()


def follow(one: T, look: Callable[[], T], view: View[T], output: Output) -> T:
    """Show a value after each change, until it has ended or Ctrl-C. Returns the last value.

    Parameters:
        one: the first value.
        look: reads it again. While that raises ClusterError, the last value is shown with the reason.
    """
    console = Console(fold=True)  # the screen folds long lines rather than cutting them off
    on_screen = console.is_terminal and output is Output.TEXT
    try:
        with Live(view.text(one, ""), console=console, auto_refresh=False) if on_screen else nullcontext() as screen:
            if screen is None:
                view.print(one, output, indent=None)
            while not view.ended(one):
                time.sleep(EVERY)
                shown = one
                one, error = _again(look, shown)  # before it is shown: Ctrl-C may come at once, for what is shown
                if screen:
                    screen.update(view.text(one, str(error or "")), refresh=True)
                elif error:
                    say(*error.lines, error=True)
                elif one != shown and view.as_json(one) != view.as_json(shown):
                    view.print(one, output, indent=None)
    except KeyboardInterrupt:
        pass
    return one


def _again(look: Callable[[], T], last: T) -> tuple[T, ClusterError | None]:
    try:
        return look(), None
    except ClusterError as error:
        return last, error
