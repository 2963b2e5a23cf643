"""What several commands share: the options `-f` and `--output`, and reading spec files into models."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from meshconfig import groups
from meshconfig.duration import LONGEST
from meshconfig.errors import GraylaneError, InputError
from meshconfig.model import Model

Files = Annotated[
    list[str],
    typer.Option(
        "-f",
        "--file",
        metavar="FILE",
        help="Spec file, directory of specs, or - for standard input. Repeatable.",
        show_default=False,
    ),
]


class Output(StrEnum):
    """The format in which a command prints its result."""

    TEXT = "text"
    JSON = "json"


OutputFormat = Annotated[Output, typer.Option("--output", help="Output format: text for people, JSON for programs.")]


def models(files: Sequence[str]) -> list[Model]:
    """The models of all groups in the files.

    Raises:
        InputError: a file cannot be read, or a spec in it is invalid.
    """
    return [group.model for group in groups.read(files)]


@contextmanager
def batch() -> Iterator[None]:
    """Switch Python's cyclic garbage collector off while the block runs.

    A command creates millions of small objects, frees almost none, and ends. The collector would scan all of them again
    and again: on 10,000 services it took two thirds of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def stdout() -> Console:
    """A console for results: colours and tables on a terminal, plain unwrapped text in a pipe."""
    console = Console(highlight=False, soft_wrap=True)
    return console if console.is_terminal else Console(highlight=False, soft_wrap=True, width=200)


def stderr() -> Console:
    """A console for progress and notes, so that standard output holds the result alone."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Wrap imports of packages that only an optional extra installs.

    Parameters:
        extra: the extra of the `graylane` package, such as `mesh`.

    Raises:
        GraylaneError: a package is missing; the message gives the `pip install` command.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise GraylaneError(f"{error.name} is not installed: pip install 'graylane[{extra}]'") from None


def check_seconds(**options: float) -> None:
    """Options in seconds; `inf` and what is longer than any duration of a spec would wait for ever.

    Raises:
        InputError: the first that is not from 0 to 366 days.
    """
    for name, given in options.items():
        if not 0 <= given <= LONGEST:
            raise InputError.at(f"--{name}", f"takes seconds, from 0 to {LONGEST} (366 days), not {given:g}")
