"""What commands share that make a spec anew: the group's name, and files that replace none without --force."""

import re
from pathlib import Path
from typing import Annotated

import typer

from meshconfig.atomic import is_stream, replace_file
from meshconfig.cli import completion
from meshconfig.errors import InputError
from meshconfig.printable import escape, put, say
from meshconfig.spec.base import LABEL

GroupName = Annotated[
    str | None,
    typer.Option(
        "--group",
        metavar="NAME",
        help="Name of the group. Default: its namespace.",
        show_default=False,
        autocompletion=completion.namespaces,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace files that are there.")]


def group_name(name: str) -> str:
    """The name of a group, as an option gives it.

    Raises:
        InputError: a group cannot have this name.
    """
    if not re.search(LABEL, name):
        raise InputError.at("--group", f"takes a name of lower-case letters, digits and -, not {name!r}")
    return name


def check_free(*paths: Path, force: bool) -> None:
    """Check that no file is replaced unasked.

    Raises:
        InputError: a file is there already, or its directory is not.
    """
    for path in paths:
        if path.exists() and not is_stream(path) and not force:
            raise InputError.at(str(path), "is there already; --force replaces it")
        if path.is_dir():
            raise InputError.at(str(path), "is a directory; name a file")
        if not path.parent.is_dir():
            raise InputError.at(str(path), f"there is no directory {path.parent}")


def write(text: str, file: str | None, *, force: bool) -> None:
    """Print a text, or write it to a file.

    Parameters:
        file: None or `-` for standard output.

    Raises:
        InputError: the file is there already, or cannot be written.
    """
    if file in (None, "-"):
        put(escape(text))
        return
    path = Path(str(file))
    check_free(path, force=force)
    try:
        replace_file(path, text.encode())
    except OSError as error:
        raise InputError.at(str(path), error.strerror or str(error)) from None
    say(f"{path} written", error=True)
