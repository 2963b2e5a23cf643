"""What several commands share: the option `-f`, and the way from files to models."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from meshconfig import groups
from meshconfig.errors import GraylaneError
from meshconfig.model import Model

Files = Annotated[
    list[str],
    typer.Option(
        "-f",
        "--file",
        metavar="FILE",
        help="A spec, a directory of specs, or - for standard input; may be given several times.",
        show_default=False,
    ),
]


class Output(StrEnum):
    """How a command prints what it found."""

    TEXT = "text"
    JSON = "json"


OutputFormat = Annotated[Output, typer.Option("--output", help="For a reader, or for a program.")]


def models(files: Sequence[str]) -> list[Model]:
    """The models of all groups in the files.

    Raises:
        InputError: what keeps them from being used.
    """
    return [group.model for group in groups.read(files)]


@contextmanager
def batch() -> Iterator[None]:
    """For work that makes millions of small objects and then ends: the collector would look at each of them again
    and again (measured on 10,000 services: two thirds of the time), and find nothing to free."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def stdout() -> Console:
    """Colour and tables on a terminal, plain text in a pipe; long lines stay whole in a pipe."""
    console = Console(highlight=False, soft_wrap=True)
    return console if console.is_terminal else Console(highlight=False, soft_wrap=True, width=200)


def stderr() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Around the imports of a command that not every installation has the packages for.

    Raises:
        GraylaneError: one is missing; the message says how to install it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise GraylaneError(f"{error.name} is not installed: pip install 'graylane[{extra}]'") from None
