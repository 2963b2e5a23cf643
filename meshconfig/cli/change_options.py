"""The options shared by all commands that change a cluster, declared once as dataclasses."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meshconfig.cli.batch import batch
from meshconfig.cli.cluster import Adopt, AllowNamespace, BreakLock, Context, Drain, Fast, Istiod, Timeout, Wait
from meshconfig.cli.common import Output, OutputFormat, check_seconds, needs

if TYPE_CHECKING:
    from meshconfig.cluster.change import Choices

DryRun = Annotated[bool, typer.Option("--dry-run", help="Validate every write with the API server, but write nothing.")]


@dataclass(frozen=True, slots=True)
class ChangeOptions:
    """Options of a command that changes a cluster; each field is one command-line option."""

    dry_run: DryRun = False
    break_lock: BreakLock = False
    timeout: Timeout = 300.0
    drain: Drain = 5.0
    wait: Wait = 10.0
    istiod: Istiod = None
    allow_namespace: AllowNamespace = None
    context: Context = None
    output: OutputFormat = Output.TEXT

    def __post_init__(self) -> None:
        check_seconds(timeout=self.timeout, drain=self.drain, wait=self.wait)

    def choices(self) -> "Choices":
        with needs("mesh"):
            from meshconfig.cluster.change import Choices
        return Choices(
            dry_run=self.dry_run,
            break_lock=self.break_lock,
            timeout=self.timeout,
            drain=self.drain,
            wait=self.wait,
            istiod=self.istiod,
            allowed=frozenset(self.allow_namespace or ()),
        )


@dataclass(frozen=True, slots=True)
class ApplyOptions(ChangeOptions):
    """Options of a command that may also create resources or routes."""

    adopt: Adopt = False
    fast: Fast = False

    def choices(self) -> "Choices":
        return replace(ChangeOptions.choices(self), adopt=self.adopt, fast=self.fast)


def with_options(options: type[ChangeOptions]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator: gives a command one option for each field of `options`, and passes them as its parameter `how`.

    Typer reads options from a function's signature. The decorator writes a signature that has the fields in place of
    `how`, so that a dozen commands need not repeat eight parameters.
    """
    parameters = [
        inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=one.type)
        for one in fields(options)
    ]

    def taking(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(**given: Any) -> None:
            how = options(**{one.name: given.pop(one.name) for one in parameters})
            with batch():
                command(**given, how=how)

        own = [one for one in inspect.signature(command).parameters.values() if one.name != "how"]
        keyword = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
        signature = inspect.Signature([*keyword, *parameters])
        run.__signature__ = signature  # type: ignore[attr-defined]  # inspect.signature reads this attribute
        run.__annotations__ = {one.name: one.annotation for one in (*keyword, *parameters)}
        del run.__wrapped__  # inspect would follow it to the command's own signature
        return run

    return taking
