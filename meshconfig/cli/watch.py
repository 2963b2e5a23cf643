"""What a command shows once, or with `--watch` again and again as it changes."""

import json
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rich.console import Console, RenderableType
from rich.live import Live

from meshconfig.cli.common import Output, stdout
from meshconfig.errors import ClusterError

EVERY = 2.0  # seconds

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class View(Generic[T]):
    """How something is shown.

    Parameters:
        text: for a reader; the second argument is why it could not be looked at just now, or empty.
        as_json: for a program.
        ended: will it never change again?
    """

    text: Callable[[T, str], RenderableType]
    as_json: Callable[[T], Any]
    ended: Callable[[T], bool] = lambda one: False

    def print(self, one: T, output: Output, *, indent: int | None = 2) -> None:
        """On standard output; without `indent` as one block, or one line, of several."""
        if output is Output.JSON:
            print(json.dumps(self.as_json(one), indent=indent), flush=True)
            return
        console = stdout()
        console.print(self.text(one, ""))
        if indent is None:
            console.print()
        sys.stdout.flush()


def follow(one: T, look: Callable[[], T], view: View[T], output: Output) -> T:
    """Show it as it changes, until it has ended or Ctrl-C; the last one that was seen.

    Parameters:
        one: as it was looked at first.
        look: looks again; while that fails by a ClusterError, the last one is shown, and why.
    """
    console = Console(highlight=False)  # a screen's lines are folded, not cut off
    on_screen = console.is_terminal and output is Output.TEXT
    try:
        with Live(view.text(one, ""), console=console, auto_refresh=False) if on_screen else nullcontext() as screen:
            if screen is None:
                view.print(one, output, indent=None)
            while not view.ended(one):
                time.sleep(EVERY)
                newer, error = _again(look, one)
                if screen:
                    screen.update(view.text(newer, error), refresh=True)
                elif error:
                    print(f"graylane: {error}", file=sys.stderr)
                elif newer != one and view.as_json(newer) != view.as_json(one):
                    view.print(newer, output, indent=None)
                one = newer
    except KeyboardInterrupt:
        pass
    return one


def _again(look: Callable[[], T], last: T) -> tuple[T, str]:
    try:
        return look(), ""
    except ClusterError as error:
        return last, str(error)
