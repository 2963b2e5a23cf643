"""What several commands share: the options `-f` and `--output`, and reading spec files into models."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from meshconfig import groups
from meshconfig.duration import LONGEST
from meshconfig.errors import GraylaneError, InputError
from meshconfig.groups import Group
from meshconfig.load import Document, empty, load
from meshconfig.model import Model
from meshconfig.printable import say
from meshconfig.spec.group import BackendName

if TYPE_CHECKING:  # what prints plain YAML or JSON needs none of it
    from meshconfig.cli.console import Console

ENV = "env"  # the field of propagation where PROPAGATION_REMOTE_FIELDS is not set
SHOWN = 3  # files named in a note

Files = Annotated[
    list[str],
    typer.Option(
        "-f",
        "--file",
        metavar="FILE",
        help="Spec file, directory of specs, or - for standard input. Repeatable. Default: ./graylane.yaml.",
        show_default=False,
    ),
]


# For a command that does nothing by default, because it deletes.
GivenFiles = Annotated[
    list[str],
    typer.Option(
        "-f",
        "--file",
        metavar="FILE",
        help="Spec file, directory of specs, or - for standard input. Repeatable.",
        show_default=False,
    ),
]


class BackendChoice(StrEnum):
    """The family of resources that specs become."""

    ISTIO = "istio"
    GATEWAY = "gateway"


BackendOption = Annotated[
    BackendChoice | None,
    typer.Option(
        "--backend",
        help="Resources that specs become: Istio's own, or HTTPRoutes of the Gateway API. Default: spec.backend.",
        show_default=False,
    ),
]


def backend_name(choice: BackendChoice | None) -> BackendName | None:
    """The name of a chosen backend; None to keep that of each spec."""
    return choice.value if choice else None


class Output(StrEnum):
    """The format in which a command prints its result."""

    TEXT = "text"
    JSON = "json"


OutputFormat = Annotated[Output, typer.Option("--output", help="Output format: text for people, JSON for programs.")]


def read_groups(files: Sequence[str], backend: BackendName | None = None) -> list[Group]:
    """The groups in the files; a note on standard error counts the documents that were skipped.

    Parameters:
        backend: replaces that of each spec; None to keep it.

    Raises:
        InputError: a file cannot be read, or a spec in it is invalid.
    """
    documents = read_documents(files)
    return groups.groups(documents, files, backend)


def read_documents(files: Sequence[str]) -> list[Document]:
    """All documents of the files; a note on standard error counts those that are not meant for graylane.

    Raises:
        InputError: a file cannot be read or is not YAML, or there is no document in any.
    """
    documents = load(files)
    if not documents:
        raise empty(files)
    if any(document.own for document in documents):  # otherwise an error says what the files have in place of a spec
        note_skipped([document for document in documents if not document.own], "no spec of graylane")
    return documents


def note_skipped(documents: Sequence[Document], what: str) -> None:
    """Print one line about documents that are not read, if there are any: how many, and where."""
    if documents:
        files = list(dict.fromkeys(document.file for document in documents))
        where = ", ".join(files[:SHOWN]) + (f" and {len(files) - SHOWN} more files" if len(files) > SHOWN else "")
        count = "1 document" if len(documents) == 1 else f"{len(documents)} documents"
        say(f"note: {count} skipped, {what}: {where}", error=True)


def note_header(compiled: Iterable[Model]) -> None:
    """Services read `env` unless they are told otherwise: where they are not, each of them drops the tag."""
    for model in compiled:
        if model.tag != ENV:
            name = f"{model.namespace}/{model.group}"
            setting = f"{name}: the tag's header is {model.tag}, so set PROPAGATION_REMOTE_FIELDS={model.tag}"
            say(f"note: {setting} in each service that uses propagation", error=True)


def stdout() -> "Console":
    """A console for results: colours and tables on a terminal, plain unwrapped text in a pipe."""
    from meshconfig.cli.console import Console

    return Console()


Line = tuple[str, str]  # the text and its rich style; an empty style is plain text


def print_lines(lines: Iterable[Line]) -> None:
    """Print lines: with their styles on a terminal, as plain text in a pipe, where rich is not imported."""
    if not sys.stdout.isatty() and not any(os.environ.get(name) for name in ("FORCE_COLOR", "TTY_COMPATIBLE")):
        say(*(text for text, _ in lines))
        return
    from meshconfig.cli.console import Text

    console = stdout()
    for text, style in lines:
        console.print(Text(text, style))


def stderr() -> "Console":
    """A console for progress and notes, so that standard output holds the result alone."""
    from meshconfig.cli.console import Console

    return Console(error=True)


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
        module = (error.name or "").partition(".")[0]
        raise GraylaneError(f"{module} is not installed: pip install 'graylane[{extra}]'") from None


@contextmanager
def answering_by_exit_status() -> Iterator[None]:
    """For a command that exits with 1 to give an answer, such as "differs": every error in the block exits with 2."""
    try:
        yield
    except GraylaneError as error:
        error.exit_status = 2
        raise


def check_seconds(**options: float) -> None:
    """Options in seconds; `inf` and what is longer than any duration of a spec would wait for ever.

    Raises:
        InputError: the first that is not from 0 to 366 days.
    """
    for name, given in options.items():
        if not 0 <= given <= LONGEST:
            raise InputError.at(f"--{name}", f"takes seconds, from 0 to {LONGEST} (366 days), not {given:g}")


def readable(documents: Sequence[Document], sources: Sequence[str]) -> list[Document]:
    """The specs and Kubernetes resources among documents; a note counts the others.

    Raises:
        InputError: there are none.
    """
    if not documents:
        raise empty(sources)
    foreign = [document for document in documents if document.foreign]
    if len(foreign) == len(documents):
        message = "nothing to read here: no spec of graylane and no Kubernetes resource, as no document has a kind"
        raise InputError.at(", ".join(sources), message)
    note_skipped(foreign, "no Kubernetes resource and no spec")
    return [document for document in documents if not document.foreign]
