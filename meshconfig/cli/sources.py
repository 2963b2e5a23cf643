"""The files that a command reads: `-f FILE`, a FILE without `-f`, `-R` for the folders below, or ./graylane.yaml.

A command declares `file: Files` alone. `with_sources` adds the rest to it, so that all commands take files alike.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import typer
from typer.models import ArgumentInfo

from meshconfig.cli.common import GivenFiles
from meshconfig.errors import InputError
from meshconfig.load import SUFFIXES, folders
from meshconfig.printable import say

DEFAULT = "graylane.yaml"

More = Annotated[
    list[str] | None, typer.Argument(metavar="FILE", help="Further files, as with -f.", show_default=False)
]
Recursive = Annotated[
    bool, typer.Option("-R", "--recursive", help="Of a directory, also read the files in the folders below it.")
]


def with_sources(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command that takes files as an option, extended to take them in every way.

    Typer reads options from a function's signature. A command without a list of files as its parameter `file` is
    returned as it is, and so is one that was extended already: the module of a command is imported once.
    """
    before = inspect.signature(command)
    file = before.parameters.get("file")
    if file is None or "recursive" in before.parameters or not _is_list(file.annotation):
        return command
    arguments = [one.name for one in before.parameters.values() if _takes_every_word(one.annotation)]
    required = file.default is inspect.Parameter.empty

    @wraps(command)
    def run(**given: Any) -> Any:
        more = _files_among(given, arguments[0]) if arguments else given.pop("more") or ()
        found = [*(given["file"] or ()), *more]
        if required and not found:
            if file.annotation is GivenFiles:
                raise _missing("")
            found = [default_source()]
        given["file"] = list(_expanded(found, recursive=given.pop("recursive")))
        return command(**given)

    added = [_keyword("recursive", Recursive, default=False)]
    if not arguments:
        added.append(_keyword("more", More, default=None))
    own = [
        one.replace(kind=inspect.Parameter.KEYWORD_ONLY, default=None if one is file else one.default)
        for one in before.parameters.values()
    ]
    run.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]  # inspect reads this attribute
    run.__annotations__ = {one.name: one.annotation for one in (*own, *added)}
    del run.__wrapped__  # inspect would follow it to the command's own signature
    return run


def default_source() -> str:
    """The file that is read if none is given.

    Raises:
        InputError: there is none of that name.
    """
    if not Path(DEFAULT).is_file():
        raise _missing(f", and there is no {DEFAULT} in the current folder")
    return DEFAULT


def _missing(why: str) -> InputError:
    return InputError.at("FILE", f"is missing{why}: name a file, a folder, or - for standard input")


def _expanded(sources: Iterable[str], *, recursive: bool) -> Iterator[str]:
    """The sources, with the folders below those that are directories; or a note that such folders are not read."""
    for name in sources:
        if name == "-" or not Path(name).is_dir():
            yield name
            continue
        here = any(one.suffix in SUFFIXES for one in Path(name).iterdir())
        below = folders(name)
        if recursive:
            found = list(below)
            yield from [name, *found] if here or not found else found
            continue
        if here and (first := next(below, None)):
            say(f"note: the folders below {name} were not read, such as {first}; -R reads them", error=True)
        yield name


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _is_list(annotation: Any) -> bool:
    kind = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    return list[str] in (kind, *get_args(kind))


def _takes_every_word(annotation: Any) -> bool:
    """Whether a parameter takes all further words of the command line: a list of arguments, or click's context."""
    found: Sequence[Any] = getattr(annotation, "__metadata__", ())
    return annotation is typer.Context or (_is_list(annotation) and any(isinstance(one, ArgumentInfo) for one in found))


def _files_among(given: dict[str, Any], name: str) -> list[str]:
    """Take the files out of a parameter that takes every word. The others are options, or of the form NAME=VALUE."""
    context = given[name] if hasattr(given[name], "args") else None
    words: list[str] = context.args if context else given[name] or []
    ends = next((index for index, word in enumerate(words) if word.startswith("--")), len(words))
    found = [word for word in words[:ends] if "=" not in word and Path(word).exists()]
    left = [word for word in words[:ends] if word not in found] + words[ends:]
    if context:
        context.args = left
    else:
        given[name] = left
    return found
